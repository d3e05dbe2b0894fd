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
#include <stdio.h>
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

/* ---- another program is there ---- */

struct occupant {
	uint32_t id; /* of the program */
	char name[BPF_OBJ_NAME_LEN];
	struct xdplace_found context; /* name empty: none of ours */
};

static int is_context(void *arg, const struct xdplace_found *found)
{
	struct occupant *occupant = arg;

	if (found->prog_id != occupant->id)
		return 0;
	occupant->context = *found;
	return 1;
}

/* Id of the link that attaches the program to the interface; 0: none to be seen. */
static uint32_t link_of(uint32_t ifindex, uint32_t program)
{
	uint32_t id;
	int fd = xp_link_on(ifindex, program, &id);

	if (fd < 0)
		return 0;
	close(fd);
	return id;
}

/* What ip(8) calls the mode in which a program is attached. */
static const char *ip_word(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return "xdp";
	return query.attach_mode == XDP_ATTACHED_SKB ? "xdpgeneric" : "xdp";
}

/* A link keeps netlink from detaching its program. */
static void how_to_detach(const struct xp_link *link, const struct occupant *occupant, char *text,
			  size_t size)
{
	uint32_t id = link_of(link->ifindex, occupant->id);

	if (occupant->context.name[0])
		snprintf(text, size, "it is context '%s': xdplace unload -n %s %s",
			 occupant->context.name, occupant->context.name, link->name);
	else if (id)
		snprintf(text, size,
			 "bpf_link %u holds it: end the process that has the link, remove its pin, "
			 "or bpftool link detach id %u",
			 id, id);
	else
		snprintf(text, size, "detach it with its own tool, or ip link set dev %s %s off%s",
			 link->name, ip_word(link->ifindex),
			 strcmp(occupant->name, "xdp_dispatcher") ? "" : ", or try --dispatcher");
}

static int busy(const struct xp_link *link, enum xdplace_mode mode)
{
	struct occupant occupant = {.id = xp_program_on(link->ifindex)};
	char how[192];

	program_name(occupant.id, occupant.name);
	xdplace_each(is_context, &occupant);
	how_to_detach(link, &occupant, how, sizeof(how));
	return xp_fail(EBUSY, "attach to %s in %s mode: program '%s' (id %u) is attached; %s",
		       link->name, xp_mode_name(mode), occupant.name, occupant.id, how);
}

/* ---- the kernel, or the driver, refuses ---- */

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
