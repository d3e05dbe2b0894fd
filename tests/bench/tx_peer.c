/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_peer.c - who is sent to: the far end of a veth, in a namespace of its own.
 *
 * In: the two ends, made by scripts/bench.sh, with static neighbours. Out: packets that arrived.
 * The dropping peer is an XDP program in native mode: it runs in the sender's context, on CPU 0.
 * The receiving peer has no XDP program: the kernel's stack takes the packets, on CPU 0 as well,
 * and a thread on CPU 1 reads them from a socket with so large a buffer that it may lag behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "tx.h"
#include "tx.skel.h"

#define MTU 1500u
#define MTU_LONG 9000u
#define MESSAGES 64u
#define RECEIVE_BUFFER (1 << 30)
#define NAP_NS 500000 /* of the reader: a sleeping one would have to be woken for each packet */

struct receiver {
	int fd[TX_DESTINATIONS_MAX / TX_ADDRESSES];
	uint32_t ports;
	uint32_t size;
	uint8_t *buffer;
	pthread_t thread;
	bool stop;
	uint64_t arrived;
	uint64_t passes; /* that found nothing */
};

static struct tx_bpf *skel; /* NULL: it is not the dropping peer */
static struct receiver receiver;
static uint32_t mtu;
static uint32_t destinations;
static int home = -1;

/* ---- namespaces and links ---- */

bool tx_possible(const char *name)
{
	if (if_nametoindex(TX_NEAR) && getenv("XPBENCH_FAR"))
		return true;
	bench_note("%s: skipped, there is no %s: run scripts/bench.sh", name, TX_NEAR);
	return false;
}

static int enter_far(void)
{
	int far = open(getenv("XPBENCH_FAR"), O_RDONLY | O_CLOEXEC);
	int err;

	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	err = far < 0 || home < 0 || setns(far, CLONE_NEWNET) ? -errno : 0;
	if (far >= 0)
		close(far);
	return err;
}

static void leave_far(void)
{
	if (home < 0)
		return;
	setns(home, CLONE_NEWNET);
	close(home);
	home = -1;
}

static int set_mtu(const struct tx_traffic *traffic)
{
	uint32_t wanted = traffic->size + TX_HEADERS > MTU ? MTU_LONG : MTU;
	char command[256];

	if (mtu == wanted)
		return 0;
	snprintf(command, sizeof(command),
		 "ip link set " TX_NEAR " mtu %u && "
		 "nsenter --net=%s ip link set " TX_FAR " mtu %u",
		 wanted, getenv("XPBENCH_FAR"), wanted);
	if (system(command))
		return -EIO;
	mtu = wanted;
	return 0;
}

/* ---- the dropping peer ---- */

static int attach(enum tx_peer peer)
{
	int prog = bpf_program__fd(peer == TX_TIMES ? skel->progs.tx_time : skel->progs.tx_drop);
	int err = enter_far();

	if (!err)
		err = bpf_xdp_attach(if_nametoindex(TX_FAR), prog, XDP_FLAGS_DRV_MODE, NULL);
	leave_far();
	return err;
}

static int open_dropper(enum tx_peer peer, const struct tx_traffic *traffic)
{
	int err;

	skel = tx_bpf__open_and_load();
	if (!skel)
		return -errno;
	skel->bss->tx_count.length = TX_HEADERS + traffic->size;
	err = attach(peer);
	if (err)
		tx_peer_close();
	return err;
}

static void close_dropper(void)
{
	if (!enter_far())
		bpf_xdp_detach(if_nametoindex(TX_FAR), XDP_FLAGS_DRV_MODE, NULL);
	leave_far();
	tx_bpf__destroy(skel);
	skel = NULL;
}

/* ---- the receiving peer ---- */

static void prepare_messages(struct mmsghdr *message, struct iovec *piece)
{
	uint32_t i;

	memset(message, 0, MESSAGES * sizeof(*message));
	for (i = 0; i < MESSAGES; i++) {
		piece[i] = (struct iovec){receiver.buffer + i * receiver.size, receiver.size};
		message[i].msg_hdr.msg_iov = &piece[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
}

/* MSG_TRUNC: a longer datagram than those that were sent shows its length. */
static bool read_some(int fd, struct mmsghdr *message)
{
	int count = recvmmsg(fd, message, MESSAGES, MSG_TRUNC | MSG_DONTWAIT, NULL);
	uint64_t arrived = receiver.arrived;
	int i;

	for (i = 0; i < count; i++)
		arrived += message[i].msg_len == receiver.size;
	__atomic_store_n(&receiver.arrived, arrived, __ATOMIC_RELAXED);
	return count > 0;
}

static void *receive(void *arg)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};
	struct mmsghdr message[MESSAGES];
	struct iovec piece[MESSAGES];
	bool any;
	uint32_t i;

	bench_pin_cpu(1);
	bench_real_time();
	prepare_messages(message, piece);
	while (!__atomic_load_n(&receiver.stop, __ATOMIC_RELAXED)) {
		any = false;
		for (i = 0; i < receiver.ports; i++)
			any |= read_some(receiver.fd[i], message);
		if (any)
			continue;
		__atomic_store_n(&receiver.passes, receiver.passes + 1, __ATOMIC_RELAXED);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static int open_socket(uint32_t number)
{
	const struct sockaddr_in here = {.sin_family = AF_INET,
					 .sin_port = htons(TX_PORT + number)};
	const int buffer = RECEIVE_BUFFER;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	receiver.fd[receiver.ports++] = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
	    bind(fd, (const void *)&here, sizeof(here)))
		return -errno;
	return 0;
}

static int open_receiver(const struct tx_traffic *traffic)
{
	uint32_t ports = (traffic->destinations + TX_ADDRESSES - 1) / TX_ADDRESSES;
	int err = enter_far();

	receiver = (struct receiver){.size = traffic->size};
	receiver.buffer = malloc((size_t)MESSAGES * traffic->size);
	if (!err && !receiver.buffer)
		err = -ENOMEM;
	while (!err && receiver.ports < ports)
		err = open_socket(receiver.ports);
	leave_far();
	if (!err)
		err = -pthread_create(&receiver.thread, NULL, receive, NULL);
	if (err)
		tx_peer_close();
	return err;
}

static void close_receiver(void)
{
	__atomic_store_n(&receiver.stop, true, __ATOMIC_RELAXED);
	if (receiver.thread)
		pthread_join(receiver.thread, NULL);
	while (receiver.ports)
		close(receiver.fd[--receiver.ports]);
	free(receiver.buffer);
	receiver = (struct receiver){0};
}

/* ---- either ---- */

int tx_peer_open(enum tx_peer peer, const struct tx_traffic *traffic)
{
	int err = set_mtu(traffic);

	destinations = traffic->destinations;
	if (err)
		return err;
	return peer == TX_RECEIVES ? open_receiver(traffic) : open_dropper(peer, traffic);
}

void tx_peer_close(void)
{
	if (skel)
		close_dropper();
	else
		close_receiver();
}

uint64_t tx_peer_arrived(void)
{
	if (skel)
		return __atomic_load_n(&skel->bss->tx_count.arrived, __ATOMIC_RELAXED);
	return __atomic_load_n(&receiver.arrived, __ATOMIC_RELAXED);
}

uint64_t tx_peer_passes(void)
{
	static uint64_t looks;

	/* The dropping peer has no part that could be behind. */
	return skel ? ++looks : __atomic_load_n(&receiver.passes, __ATOMIC_RELAXED);
}

uint32_t tx_peer_reached(void)
{
	uint32_t reached = 0;
	uint32_t i;

	if (!skel)
		return destinations;
	for (i = 0; i < destinations; i++)
		reached += skel->bss->tx_count.to[i] != 0;
	return reached;
}

void tx_peer_forget(void)
{
	if (!skel)
		return;
	memset(skel->bss->tx_count.to, 0, sizeof(skel->bss->tx_count.to));
	memset(skel->bss->tx_count.last, 0, sizeof(skel->bss->tx_count.last));
	skel->bss->tx_count.gap_count = 0;
}

const uint32_t *tx_peer_gaps(uint32_t *count)
{
	*count = skel->bss->tx_count.gap_count;
	return skel->bss->tx_gap;
}
