/* SPDX-License-Identifier: Apache-2.0 */
/* Contents of tensors in files of their own, beside the model or below its folder. */
#include <string.h>

#include "lib/import/onnx_parts.h"

het_status het__onnx_external(het__onnx_reader *r, het__pb message, const char *tensor,
                              size_t bytes, const uint8_t **data)
{
    (void)message;
    (void)bytes;
    *data = NULL;
    return het__fail(r->err, HET_E_UNSUPPORTED, "tensor %s lies in another file", tensor);
}
