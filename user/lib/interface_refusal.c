/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * interface_refusal.c - why attaching was refused, and what to do about it.
 *
 * In: the interface, the mode and the kernel's error. Out: the error of the public interface
 * (xdplace_attach() names them) and a text that says what was tried, why it failed, and the
 * remedy. bpf(2) gives a number and no words, so the kernel is asked once more over netlink.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "context.h"
#include "interface.h"

#ifndef CAP_BPF
#define CAP_BPF 39
#endif

const char *xp_mode_name(enum xdplace_mode mode)
{
	return mode == XDPLACE_SKB ? "skb" : "native";
}

uint32_t xp_mode_flags(enum xdplace_mode mode)
{
	return mode == XDPLACE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

uint32_t xp_program_on(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0;
	if (query.prog_id)
		return query.prog_id;
	return query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
}

static void program_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	memcpy(name, info.name[0] ? info.name : "?", info.name[0] ? BPF_OBJ_NAME_LEN : 2);
}

static int busy(const struct xp_link *link, enum xdplace_mode mode)
{
	uint32_t id = xp_program_on(link->ifindex);
	char name[BPF_OBJ_NAME_LEN];

	program_name(id, name);
	if (!strcmp(name, "xdplace"))
		return xp_fail(EBUSY,
			       "attach to %s in %s mode: another context has it (program id %u); "
			       "`xdplace status` shows which, `xdplace unload` ends it",
			       link->name, xp_mode_name(mode), id);
	return xp_fail(EBUSY,
		       "attach to %s in %s mode: program '%s' (id %u) is attached; detach it with "
		       "its own tool or `ip link set dev %s xdp off`, or try --dispatcher",
		       link->name, xp_mode_name(mode), name, id, link->name);
}

/* What the kernel's error means here, and what to do about it. */
static const struct {
	int err;
	int answer; /* 0: the same */
	const char *what;
	const char *remedy;
} refusals[] = {
	{EOPNOTSUPP, 0, "driver does not support XDP", "try --mode skb"},
	{EPERM, 0, "not permitted", "run as root, or with CAP_BPF and CAP_NET_ADMIN"},
	{EACCES, EPERM, "not permitted", "run as root, or with CAP_BPF and CAP_NET_ADMIN"},
	{ENOSPC, 0, "too few queues",
	 "raise the receive queues with ethtool -L, or try --mode skb"},
	{ERANGE, 0, "MTU too large for the driver", "lower the MTU, or try --mode skb"},
	{E2BIG, ERANGE, "MTU too large for the driver", "lower the MTU, or try --mode skb"},
	{EFBIG, ERANGE, "MTU too large for the driver", "lower the MTU, or try --mode skb"},
	{ENODEV, 0, "interface has gone", "`ip link` lists those there are"},
	{ENOMEM, 0, "driver could not allocate its rings",
	 "fewer or shorter rings: ethtool -L, -G"},
	{EINVAL, 0, "driver refuses", "see dmesg, or try --mode skb"},
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

/* Drivers answer EINVAL and EOPNOTSUPP for much; their words tell more. */
static int err_from_words(int err, const char *why)
{
	if (strstr(why, "MTU") || strstr(why, "mtu"))
		return ERANGE;
	if (strstr(why, "queues") || strstr(why, "TX rings"))
		return ENOSPC;
	return err;
}

int xp_refused(struct xdplace *ctx, const struct xp_link *link, enum xdplace_mode mode, int err)
{
	const char *remedy = "see dmesg", *what = strerror(err);
	char why[128] = "", caps[96] = "";
	int answer = err;
	size_t i;

	if (err == EBUSY || err == EEXIST)
		return busy(link, mode);
	if (err == EPERM)
		xp_missing_caps(1ull << CAP_BPF | 1ull << CAP_NET_ADMIN, caps, sizeof(caps));
	else
		xp_link_why_refused(link->ifindex, ctx->prog, xp_mode_flags(mode), why,
				    sizeof(why));
	err = err_from_words(err, why);
	for (i = 0; i < REFUSALS && refusals[i].err != err; i++)
		;
	if (i < REFUSALS) {
		what = refusals[i].what;
		remedy = refusals[i].remedy;
		answer = refusals[i].answer ? refusals[i].answer : err;
	}
	return xp_fail(answer, "attach to %s in %s mode: %s%s%s%s%s; %s", link->name,
		       xp_mode_name(mode), what, why[0] ? " (kernel: " : "", why, why[0] ? ")" : "",
		       caps, remedy);
}
