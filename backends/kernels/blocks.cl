/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of every type that weights come in, by block. Included by kernels that read weights. */
