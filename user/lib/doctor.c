/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doctor.c - what this kernel and this process can do, tried out rather than looked up.
 *
 * In: nothing. Out: a list of checks, each with what was found and, if it is not as it should be,
 * what to do. FAIL: placement does not work here. WARN: something beside it does not. Nothing
 * stays behind: what is loaded to try it is closed again, limits and mounts are left alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_xdp.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"
#include "interface.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

#ifndef CAP_BPF
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

#define UMEM_SIZE (1u << 16)
#define FRAME_SIZE 64

static enum xdplace_check_state say(struct xdplace_check *c, enum xdplace_check_state state,
				    const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static enum xdplace_check_state say(struct xdplace_check *c, enum xdplace_check_state state,
				    const char *remedy, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->detail, sizeof(c->detail), fmt, args);
	va_end(args);
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy);
	return c->state = state;
}

static void ok(struct xdplace_check *c, const char *detail)
{
	say(c, XDPLACE_CHECK_OK, "", "%s", detail);
}

/* ---- kernel ---- */

static void check_kernel(struct xdplace_check *c)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 1))
		ok(c, name.release);
	else if (major == 6 || (major == 5 && minor >= 18))
		say(c, XDPLACE_CHECK_WARN, "Linux 6.1 or later is what is tested", "%s",
		    name.release);
	else
		say(c, XDPLACE_CHECK_FAIL, "Linux 6.1 or later is needed", "%s", name.release);
}

/* ---- programs ---- */

/* The smallest program: return `action`. */
static int load_tiny(uint32_t action, uint32_t flags)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = action},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags, .expected_attach_type = BPF_XDP);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "xp_doctor", "Dual BSD/GPL", insns, 2, &opts);
}

static void check_load(struct xdplace_check *c)
{
	int fd = load_tiny(XDP_PASS, 0);

	if (fd < 0) {
		say(c, XDPLACE_CHECK_FAIL,
		    errno == EPERM ? "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"
				   : "a kernel with CONFIG_BPF_SYSCALL is needed",
		    "loading an XDP program: %s", strerror(errno));
		return;
	}
	close(fd);
	ok(c, "XDP programs load");
}

/* What builds on loading says nothing of its own where loading fails. */
static bool can_load(struct xdplace_check *c)
{
	int fd = load_tiny(XDP_PASS, 0);

	if (fd < 0) {
		say(c, XDPLACE_CHECK_WARN, "see program_load", "not tried");
		return false;
	}
	close(fd);
	return true;
}

static void check_jit(struct xdplace_check *c)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd, err;

	if (!can_load(c))
		return;
	fd = load_tiny(XDP_PASS, 0);
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (!err && info.jited_prog_len)
		ok(c, "programs are compiled");
	else
		say(c, XDPLACE_CHECK_WARN, "sysctl net.core.bpf_jit_enable=1",
		    "programs are interpreted: placing is many times slower");
}

static void check_frags(struct xdplace_check *c)
{
	int fd;

	if (!can_load(c))
		return;
	fd = load_tiny(XDP_PASS, BPF_F_XDP_HAS_FRAGS);
	if (fd < 0) {
		say(c, XDPLACE_CHECK_FAIL, "Linux 5.18 or later is needed",
		    "loading a program for packets in several buffers: %s", strerror(errno));
		return;
	}
	close(fd);
	ok(c, "packets in several buffers (jumbo frames)");
}

static void check_helpers(struct xdplace_check *c)
{
	static const struct {
		enum bpf_func_id id;
		const char *name;
	} needed[] = {
		{BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes"},
		{BPF_FUNC_xdp_get_buff_len, "bpf_xdp_get_buff_len"},
		{BPF_FUNC_loop, "bpf_loop"},
		{BPF_FUNC_csum_diff, "bpf_csum_diff"},
		{BPF_FUNC_ringbuf_output, "bpf_ringbuf_output"},
		{BPF_FUNC_jiffies64, "bpf_jiffies64"},
		{BPF_FUNC_redirect_map, "bpf_redirect_map"},
	};
	char text[128];
	size_t i;

	if (!can_load(c))
		return;
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, needed[i].id, NULL) == 1)
			continue;
		say(c, XDPLACE_CHECK_FAIL, "Linux 6.1 or later, and CAP_BPF, are needed",
		    "XDP programs can not call %s", needed[i].name);
		return;
	}
	snprintf(text, sizeof(text), "all %zu that are needed", i);
	ok(c, text);
}

static int run_tiny(uint32_t flags)
{
	static const uint8_t frame[FRAME_SIZE];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1, .flags = flags);
	int fd = load_tiny(XDP_DROP, 0), err;

	if (fd < 0)
		return -errno;
	err = bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	close(fd);
	return err;
}

static void check_test_run(struct xdplace_check *c)
{
	int err;

	if (!can_load(c))
		return;
	err = run_tiny(0);
	if (err)
		say(c, XDPLACE_CHECK_FAIL,
		    "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN",
		    "BPF_PROG_TEST_RUN: %s; commands and capture files need it", strerror(-err));
	else
		ok(c, "programs run without a device: commands, capture files");
}

static void check_live_frames(struct xdplace_check *c)
{
	int err;

	if (!can_load(c))
		return;
	err = run_tiny(BPF_F_TEST_XDP_LIVE_FRAMES);
	if (err)
		say(c, XDPLACE_CHECK_WARN, "Linux 5.18 or later is needed",
		    "BPF_PROG_TEST_RUN with live frames: %s; transmit by AF_XDP only",
		    strerror(-err));
	else
		ok(c, "programs can make and send frames");
}

static void check_dispatcher(struct xdplace_check *c)
{
	int answer;

	if (!can_load(c))
		return;
	answer = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL);
	if (answer == 1)
		ok(c, "extension programs load: --dispatcher is possible");
	else
		say(c, XDPLACE_CHECK_WARN, "attach without --dispatcher",
		    "extension programs do not load: %s",
		    answer < 0 ? strerror(-answer) : "refused by the kernel");
}

static void check_egress(struct xdplace_check *c)
{
	int answer;

	if (!can_load(c))
		return;
	answer = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL);
	if (answer != 1)
		say(c, XDPLACE_CHECK_WARN, "attach without --egress", "tc programs do not load: %s",
		    answer < 0 ? strerror(-answer) : "refused by the kernel");
	else if (xp_egress_tcx())
		ok(c, "what the host sends can be placed as well: --egress, by tcx");
	else
		ok(c, "what the host sends can be placed as well: --egress, by clsact, if it has "
		      "sch_ingress and cls_bpf");
}

static void check_checksum(struct xdplace_check *c)
{
	if (can_load(c))
		say(c, XDPLACE_CHECK_OK, "", "verified %u bytes at a time", xp_probe_csum_step());
}

static void check_btf(struct xdplace_check *c)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		say(c, XDPLACE_CHECK_WARN, "a kernel with CONFIG_DEBUG_INFO_BTF",
		    "/sys/kernel/btf/vmlinux: %s; --dispatcher needs it", strerror(errno));
	else
		ok(c, "/sys/kernel/btf/vmlinux");
}

/* ---- rights and limits ---- */

static const struct {
	unsigned bit;
	const char *name;
	bool needed;
	const char *for_what;
} capabilities[] = {
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", true, "attaching"},
	{CAP_BPF, "CAP_BPF", true, "loading"},
	{CAP_PERFMON, "CAP_PERFMON", true, "loading"},
	{CAP_NET_RAW, "CAP_NET_RAW", false, "AF_XDP sockets"},
	{CAP_IPC_LOCK, "CAP_IPC_LOCK", false, "locked memory"},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", false, "others' contexts"},
};

static uint64_t effective(void)
{
	uint64_t caps = 0;
	char line[128];
	FILE *file = fopen("/proc/self/status", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			break;
	fclose(file);
	return caps;
}

static void check_capabilities(struct xdplace_check *c)
{
	enum xdplace_check_state state = XDPLACE_CHECK_OK;
	uint64_t have = effective();
	char text[160];
	size_t i, n = 0;

	if (have >> CAP_SYS_ADMIN & 1)
		have |= 1ull << CAP_BPF | 1ull << CAP_PERFMON; /* as the kernel takes it */
	for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		if (have >> capabilities[i].bit & 1)
			continue;
		if (capabilities[i].needed)
			state = XDPLACE_CHECK_FAIL;
		else if (state == XDPLACE_CHECK_OK)
			state = XDPLACE_CHECK_WARN;
		n += snprintf(text + n, sizeof(text) - n, "%s%s (%s)",
			      n ? ", " : "missing: ", capabilities[i].name,
			      capabilities[i].for_what);
		if (n >= sizeof(text))
			break;
	}
	if (n)
		say(c, state, "run as root, or give the process these capabilities", "%s", text);
	else
		ok(c, "all that are needed");
}

static void check_memlock(struct xdplace_check *c)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		say(c, XDPLACE_CHECK_WARN, "see getrlimit(2)", "not known: %s", strerror(errno));
	else if (limit.rlim_max == RLIM_INFINITY)
		ok(c, "no limit");
	else if (effective() >> CAP_IPC_LOCK & 1)
		say(c, XDPLACE_CHECK_OK, "", "limit of %llu KiB, but CAP_IPC_LOCK",
		    (unsigned long long)limit.rlim_max >> 10);
	else
		say(c, XDPLACE_CHECK_WARN,
		    "ulimit -l unlimited, LimitMEMLOCK=infinity, or CAP_IPC_LOCK",
		    "limit of %llu KiB for AF_XDP memory",
		    (unsigned long long)limit.rlim_max >> 10);
}

static void check_bpffs(struct xdplace_check *c)
{
	struct statfs fs;

	if (!statfs(XP_BPFFS, &fs) && (uint32_t)fs.f_type == BPF_FS_MAGIC)
		ok(c, XP_BPFFS);
	else
		say(c, XDPLACE_CHECK_WARN, "mount -t bpf bpf " XP_BPFFS,
		    XP_BPFFS " is not mounted: nothing can be pinned");
}

/* ---- AF_XDP ---- */

static void check_af_xdp(struct xdplace_check *c)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		say(c, XDPLACE_CHECK_WARN,
		    errno == EPERM ? "CAP_NET_RAW is needed" : "a kernel with CONFIG_XDP_SOCKETS",
		    "opening a socket: %s; no --frames xsk, no transmit by AF_XDP",
		    strerror(errno));
		return;
	}
	close(fd);
	ok(c, "sockets open");
}

/* Register the memory of a map as UMEM; 0 or the error, *what tells which step it was. */
static int try_umem(int map, int fd, const char **what)
{
	struct xdp_umem_reg reg;
	void *memory;
	int err = 0;

	*what = "mapping a BPF array";
	memory = mmap(NULL, UMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (memory == MAP_FAILED)
		return errno;
	*what = "registering a BPF array as UMEM";
	memset(&reg, 0, sizeof(reg)); /* padding of these headers has a meaning in later kernels */
	reg.addr = (uintptr_t)memory;
	reg.len = UMEM_SIZE;
	reg.chunk_size = 4096;
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		err = errno;
	munmap(memory, UMEM_SIZE);
	return err;
}

static void check_umem(struct xdplace_check *c)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const char *what = "making a BPF array";
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), map, err;

	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "xp_doctor", 4, UMEM_SIZE, 1, &opts);
	err = map < 0 ? errno : 0;
	if (!err)
		err = try_umem(map, fd, &what);
	if (map >= 0)
		close(map);
	if (fd >= 0)
		close(fd);
	if (!err)
		ok(c, "memory of a BPF array is taken as UMEM");
	else if (fd < 0)
		say(c, XDPLACE_CHECK_WARN, "see af_xdp", "not tried: no AF_XDP socket");
	else
		say(c, XDPLACE_CHECK_WARN,
		    err == ENOBUFS ? "raise the limit of locked memory: ulimit -l unlimited"
				   : "placement works, AF_XDP on the same memory does not",
		    "%s: %s", what, strerror(err));
}

static const struct {
	const char *name;
	void (*check)(struct xdplace_check *c);
} checks_to_do[] = {
	{"kernel", check_kernel},
	{"capabilities", check_capabilities},
	{"program_load", check_load},
	{"program_jit", check_jit},
	{"program_helpers", check_helpers},
	{"program_frags", check_frags},
	{"program_checksum", check_checksum},
	{"test_run", check_test_run},
	{"live_frames", check_live_frames},
	{"dispatcher", check_dispatcher},
	{"egress", check_egress},
	{"btf", check_btf},
	{"bpffs", check_bpffs},
	{"memlock", check_memlock},
	{"af_xdp", check_af_xdp},
	{"af_xdp_umem", check_umem},
};

int xdplace_check_kernel(struct xdplace_check *checks, size_t count)
{
	static const struct xp_logger silent;
	size_t i, n = sizeof(checks_to_do) / sizeof(checks_to_do[0]);

	xp_libbpf_begin(&silent); /* what fails is told below */
	for (i = 0; i < n && i < count; i++) {
		memset(&checks[i], 0, sizeof(checks[i]));
		checks[i].name = checks_to_do[i].name;
		checks_to_do[i].check(&checks[i]);
	}
	xp_libbpf_end();
	return n;
}
