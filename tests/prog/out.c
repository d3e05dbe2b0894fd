/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * out.c - see out.h.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "out.h"

#define DEVICE "xpt0"
#define MTU 65521

static int home = -1, tap = -1, sender = -1;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ck_assert(write(fd, text, strlen(text)) > 0);
	close(fd);
}

static void set_up(void)
{
	struct ifreq request = {.ifr_name = DEVICE, .ifr_mtu = MTU};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_msg(!ioctl(fd, SIOCSIFMTU, &request), "MTU: %s", strerror(errno));
	request.ifr_flags = IFF_UP;
	ck_assert_msg(!ioctl(fd, SIOCSIFFLAGS, &request), "up: %s", strerror(errno));
	close(fd);
}

static void open_sender(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = 0, /* it sends only */
				 .sll_ifindex = (int)if_nametoindex(DEVICE)};
	int on = 1;

	sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ck_assert_msg(sender >= 0, "packet socket: %s", strerror(errno));
	ck_assert(!setsockopt(sender, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)));
	ck_assert_msg(!bind(sender, (struct sockaddr *)&to, sizeof(to)), "bind: %s",
		      strerror(errno));
}

void out_open(void)
{
	struct ifreq request = {.ifr_name = DEVICE, .ifr_flags = IFF_TAP | IFF_NO_PI};

	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ck_assert_msg(!unshare(CLONE_NEWNET), "namespace: %s", strerror(errno));
	/* Nobody else is to send here. */
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ck_assert_msg(tap >= 0, "/dev/net/tun: %s", strerror(errno));
	ck_assert_msg(!ioctl(tap, TUNSETIFF, &request), "tap: %s", strerror(errno));
	set_up();
	open_sender();
}

void out_close(void)
{
	close(sender);
	close(tap);
	ck_assert(!setns(home, CLONE_NEWNET));
	close(home);
}

void out_attach(struct xdplace *ctx)
{
	struct xdplace_attach_opts opts = {.size = sizeof(opts), .mode = XDPLACE_SKB};
	int err = xdplace_attach(ctx, DEVICE, &opts);

	ck_assert_msg(!err, "%s", xdplace_error());
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

size_t out_receive(void *frame, size_t size)
{
	ssize_t n = read(tap, frame, size);

	return n < 0 ? 0 : (size_t)n;
}
