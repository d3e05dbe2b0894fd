/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * out.c - see out.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "context.h"
#include "out.h"

#define DEVICE "xpt0"
#define MTU 65521

static int home = -1, tap = -1, sender = -1;
static uint32_t device; /* ifindex */
static int tagger = -1, programs = -1;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "%s", text);
	close(fd);
}

static int set_up(void)
{
	struct ifreq request = {.ifr_name = DEVICE, .ifr_mtu = MTU};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	err = fd < 0 || ioctl(fd, SIOCSIFMTU, &request) ? -errno : 0;
	request.ifr_flags = IFF_UP;
	if (!err)
		err = ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
	close(fd);
	return err;
}

static int open_tap(void)
{
	struct ifreq request = {.ifr_name = DEVICE, .ifr_flags = IFF_TAP | IFF_NO_PI};

	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return tap < 0 || ioctl(tap, TUNSETIFF, &request) ? -errno : 0;
}

static int open_sender(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = 0, /* it sends only */
				 .sll_ifindex = (int)if_nametoindex(DEVICE)};
	int on = 1;

	device = to.sll_ifindex;
	sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (sender < 0 || setsockopt(sender, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    bind(sender, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return 0;
}

int out_open(void)
{
	int err;

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWNET))
		return -errno;
	/* Nobody else is to send here. */
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	err = open_tap();
	if (!err)
		err = set_up();
	return err ? err : open_sender();
}

int out_close(void)
{
	close(sender);
	close(tap);
	close(tagger);
	close(programs);
	sender = tap = tagger = programs = -1;
	if (setns(home, CLONE_NEWNET))
		return -errno;
	close(home);
	return 0;
}

uint32_t out_device(void)
{
	return device;
}

int out_attach(struct xdplace *ctx)
{
	struct xdplace_attach_opts opts = {.size = sizeof(opts), .mode = XDPLACE_SKB};

	return xdplace_attach(ctx, DEVICE, &opts);
}

int out_send(const void *frame, size_t len, const struct virtio_net_hdr *offload)
{
	struct virtio_net_hdr none = {0};
	struct iovec iov[] = {
		{(void *)(offload ? offload : &none), sizeof(none)},
		{(void *)frame, len},
	};

	return writev(sender, iov, 2) < 0 && errno != ENOBUFS ? -errno : 0;
}

/* A program that puts the tag beside the packet which its mark names, and calls ours. */
static int load_tagger(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = 3,
		 .src_reg = 1,
		 .off = offsetof(struct __sk_buff, mark)},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 3, .imm = 0, .off = 3},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = htons(ETHERTYPE_VLAN)},
		{.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = 3, .imm = 0xffff},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 2,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = programs},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 77},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "xpt_tagger", "Dual BSD/GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

static int open_tagger(const struct xdplace *ctx)
{
	int zero = 0;

	if (tagger < 0) {
		programs = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "xpt_programs", 4, 4, 1, NULL);
		tagger = programs < 0 ? programs : load_tagger();
	}
	return tagger < 0 ? tagger : bpf_map_update_elem(programs, &zero, &ctx->egress, BPF_ANY);
}

int out_run(const struct xdplace *ctx, const void *frame, size_t len, uint32_t tag, bool came_in)
{
	struct __sk_buff skb = {
		.mark = tag, .ifindex = device, .ingress_ifindex = came_in ? device : 0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = len, .repeat = 1,
		    .ctx_in = &skb, .ctx_size_in = sizeof(skb));
	int err = open_tagger(ctx);

	if (!err)
		err = bpf_prog_test_run_opts(tagger, &run);
	return err ? err : (int)run.retval;
}

int out_lane(const struct xdplace *ctx, uint32_t lane)
{
	struct xp_port port = {.ifindex = device, .lane = lane, .lanes = 1, .name = DEVICE};
	uint32_t slot = device % XP_MAX_PORTS;

	return bpf_map_update_elem(ctx->map[XP_MAP_PORTS], &slot, &port, BPF_ANY);
}

size_t out_receive(void *frame, size_t size)
{
	ssize_t n = read(tap, frame, size);

	return n < 0 ? 0 : (size_t)n;
}
