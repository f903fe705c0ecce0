// SPDX-License-Identifier: Apache-2.0

package syscalls

// numbersX32 are the calls of amd64 that have a second number there, for programs with 32-bit pointers (x32): from the
// kernel's arch/x86/entry/syscalls/syscall_64.tbl. No other will come: "This is the end of the legacy x32 range".
const numbersX32 = `
rt_sigaction 512
rt_sigreturn 513
ioctl 514
readv 515
writev 516
recvfrom 517
sendmsg 518
recvmsg 519
execve 520
ptrace 521
rt_sigpending 522
rt_sigtimedwait 523
rt_sigqueueinfo 524
sigaltstack 525
timer_create 526
mq_notify 527
kexec_load 528
waitid 529
set_robust_list 530
get_robust_list 531
vmsplice 532
move_pages 533
preadv 534
pwritev 535
rt_tgsigqueueinfo 536
recvmmsg 537
sendmmsg 538
process_vm_readv 539
process_vm_writev 540
setsockopt 541
getsockopt 542
io_setup 543
io_submit 544
execveat 545
preadv2 546
pwritev2 547
`
