/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * selftest.c - does this kernel do what the context stands on? Asked before any packet does.
 *
 * That memory of a BPF map can be a UMEM is not documented anywhere: it is tried with the real
 * mapping. That commands reach the program is tried with the real program.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_xdp.h>

#include <bpf/bpf.h>

#include "context.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

static int register_umem(struct xdplace *ctx)
{
	struct xdp_umem_reg reg;
	char caps[96];
	int fd, err;

	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return xp_fail(errno, "open an AF_XDP socket: %s%s", strerror(errno),
			       xp_missing_caps(1ull << CAP_NET_RAW, caps, sizeof(caps)));
	/* Older headers end before fields that have a meaning now. */
	memset(&reg, 0, sizeof(reg));
	reg.addr = (uintptr_t)ctx->umem;
	reg.len = 1 << 20;
	reg.chunk_size = 4096;
	err = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ? errno : 0;
	close(fd);
	if (err == ENOBUFS)
		return xp_fail(err, "register 1 MiB of the UMEM with AF_XDP: over the limit of "
				    "locked memory; raise it with ulimit -l");
	if (err)
		return xp_fail(err,
			       "register the UMEM with AF_XDP: %s; this kernel does not take the "
			       "memory of a BPF map for it",
			       strerror(err));
	return 0;
}

static int ping(struct xdplace *ctx)
{
	struct xp_command command = {.code = XP_CMD_PING};
	int result = xp_command(ctx, &command);

	if (result == XP_ABI)
		return 0;
	if (result < 0)
		return result;
	return xp_fail(EOPNOTSUPP, "self-test: the control program answers %d, not %d", result,
		       XP_ABI);
}

int xp_selftest(struct xdplace *ctx, bool frames_xsk)
{
	int err;

	err = register_umem(ctx);
	if (err && frames_xsk)
		return err;
	if (err)
		xp_log(&ctx->logger, XDPLACE_LOG_WARN, "%s; AF_XDP frames are not possible",
		       xdplace_error());
	return ping(ctx);
}

#define INSN(op, dst, src, offset, value)                                                          \
	((struct bpf_insn){.code = (op),                                                           \
			   .dst_reg = (dst),                                                       \
			   .src_reg = (src),                                                       \
			   .off = (offset),                                                        \
			   .imm = (value)})

/*
 * The smallest program that sums `step` bytes at once, over the start of a frame: returns 1 if
 * the kernel did it. Until 6.12 bpf_csum_diff() refuses more than 512 bytes when it is called.
 */
static int load_probe(uint32_t step)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, offsetof(struct xdp_md, data), 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(struct xdp_md, data_end), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, step),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 1, 2, 8, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, step),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 5, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_csum_diff),
		INSN(BPF_JMP | BPF_JSLT | BPF_K, 0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "xp_probe", "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

uint32_t xp_probe_csum_step(void)
{
	static const uint8_t frame[1024];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));
	int fd, err;

	fd = load_probe(sizeof(frame));
	if (fd < 0)
		return 512;
	err = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	return err || run.retval != 1 ? 512 : 65532;
}
