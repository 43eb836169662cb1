#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# long_only.sh PROGRAM...: runs it where HETINFER_TEST_LONG is set, else skips.
if [ -z "$HETINFER_TEST_LONG" ]; then
    echo "skipped: takes minutes (HETINFER_TEST_LONG=1)"
    exit 77
fi
exec "$@"
