/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element: sums, products, functions. */
