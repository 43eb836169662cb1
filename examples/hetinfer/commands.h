/* SPDX-License-Identifier: Apache-2.0 */
/* The commands. Each takes its own name as argv[0] and returns an exit status. */
#ifndef HETINFER_COMMANDS_H
#define HETINFER_COMMANDS_H

int command_run(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_tokenize(int argc, char **argv);
int command_detokenize(int argc, char **argv);
int command_template(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_devices(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_machine(int argc, char **argv);
int command_calibrate(int argc, char **argv);
int command_pack(int argc, char **argv);
int command_unpack(int argc, char **argv);
int command_plan(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_quantize(int argc, char **argv);
int command_groups(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_analyze(int argc, char **argv);
int command_sweep(int argc, char **argv);
int command_bench(int argc, char **argv);

#endif /* HETINFER_COMMANDS_H */
