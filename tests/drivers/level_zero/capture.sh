#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A command with Intel's own Level Zero driver and no GPU: the driver compiles and takes command
# lists, and records them to a file in the folder that it runs in, which is deleted. NOTHING
# EXECUTES. Usage: capture.sh PROGRAM [ARGUMENT…]; paths are made absolute.
#
# The switches are debug keys of the driver, not a documented interface; 22.43 knows them.
set -u
found=no
for folder in /usr/lib/*-linux-gnu /usr/lib64 /usr/lib; do
    [ -e "$folder/libze_intel_gpu.so.1" ] && found=yes
done
if [ $found = no ]; then
    echo "skipped: no libze_intel_gpu.so.1 (package intel-opencl-icd or libze-intel-gpu1)"
    exit 77
fi
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    [ -e "$argument" ] && argument=$(realpath "$argument")
    set -- "$@" "$argument"
    count=$((count - 1))
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset ZE_ENABLE_ALT_DRIVERS
NEOReadDebugKeys=1 SetCommandStreamReceiver=1 ProductFamilyOverride=tgllp
HETINFER_L0_ANY=1 HETINFER_KERNEL_CACHE=$work/cache HETINFER_CALIBRATION=off
export NEOReadDebugKeys SetCommandStreamReceiver ProductFamilyOverride
export HETINFER_L0_ANY HETINFER_KERNEL_CACHE HETINFER_CALIBRATION
"$@"
status=$?
echo "$(du -sk "$work" | cut -f1) KiB recorded, nothing executed"
exit $status
