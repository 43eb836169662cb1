/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of heads, and attention over a paged cache. */
