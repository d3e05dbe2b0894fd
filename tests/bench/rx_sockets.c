/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_sockets.c - the peer kernel-socket: the kernel's own stack, read() for TCP, recvmmsg() for
 * UDP.
 *
 * In: the same frames as all systems get. The generator answers nobody, so there can be no
 * handshake: each TCP socket is put into the established state by TCP_REPAIR, with the sequence
 * numbers that the generator uses. From then on it is a connection like any other: the kernel
 * looks at checksums, keeps the window, and its acknowledgements go out to the generator's end,
 * which throws them away.
 * Out: the bytes that were read into a buffer of this process.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rx.h"

#define READ_SIZE (256u << 10)
#define MESSAGES 64u
#define MESSAGE_SIZE 2048u
#define EVENTS 64
#define SPARE_DESCRIPTORS 1024u
#define RECEIVE_BUFFER (64 << 20)
#define OPTION_WINDOW_SCALE 3u /* RFC 7323 */
#define WINDOW_SCALE 14u
#define WINDOW (256u << 20)

struct rx_sockets {
	bool udp;
	uint32_t payload; /* of a packet */
	int epoll;
	int *fd;
	uint32_t count;
	uint64_t bytes;
	uint8_t *buffer;
	struct mmsghdr message[MESSAGES];
	struct iovec piece[MESSAGES];
};

/* RUN: a shell's line. The addresses are of this namespace, which is gone with scripts/bench.sh. */
static int run(const char *command)
{
	int status = system(command);

	return status ? -EIO : 0;
}

static int addresses_add(void)
{
	return run("ip addr add 203.0.113.1/32 dev " RX_RECEIVER " &&"
		   "ip route add 198.51.100.1 dev " RX_RECEIVER " src 203.0.113.1 &&"
		   "ip neigh replace 198.51.100.1 dev " RX_RECEIVER " lladdr 02:00:00:00:00:99"
		   " nud permanent");
}

static void addresses_del(void)
{
	run("ip addr flush dev " RX_RECEIVER);
	run("ip neigh flush dev " RX_RECEIVER " nud permanent");
}

static struct sockaddr_in address(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(host),
	};
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int set_sequence(int fd, int queue, uint32_t next)
{
	int err = set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);

	return err ? err : set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, next);
}

static int set_window(int fd)
{
	const struct tcp_repair_opt scale = {OPTION_WINDOW_SCALE,
					     WINDOW_SCALE | WINDOW_SCALE << 16};
	const struct tcp_repair_window window = {
		.snd_wl1 = BENCH_SEQUENCE,
		.snd_wnd = 0xffff,
		.max_window = 0xffff,
		.rcv_wnd = WINDOW,
		.rcv_wup = BENCH_SEQUENCE,
	};

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, &scale, sizeof(scale)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)))
		return -errno;
	return 0;
}

static int connect_to(int fd, uint16_t sport, uint16_t dport)
{
	const struct sockaddr_in here = address(BENCH_DEST, dport);
	const struct sockaddr_in there = address(BENCH_SOURCE, sport);

	if (bind(fd, (const void *)&here, sizeof(here)) ||
	    connect(fd, (const void *)&there, sizeof(there)))
		return -errno;
	return 0;
}

/* tcp(7) says little of TCP_REPAIR: it is what CRIU restores connections with. */
static int establish(int fd, uint16_t sport, uint16_t dport)
{
	int err = set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);

	if (!err)
		err = set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
	if (!err)
		err = set_sequence(fd, TCP_SEND_QUEUE, BENCH_SEQUENCE);
	if (!err)
		err = set_sequence(fd, TCP_RECV_QUEUE, BENCH_SEQUENCE);
	if (!err)
		err = connect_to(fd, sport, dport);
	if (!err)
		err = set_window(fd);
	return err ? err : set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
}

static int listen_udp(int fd, uint16_t dport)
{
	const struct sockaddr_in here = address(BENCH_DEST, dport);
	int err = set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);

	if (!err && bind(fd, (const void *)&here, sizeof(here)))
		err = -errno;
	return err;
}

/* A reset instead of a FIN that nobody would answer. */
static void close_one(int fd)
{
	const struct linger none = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void close_all(struct rx_sockets *sockets)
{
	while (sockets->count)
		close_one(sockets->fd[--sockets->count]);
}

static int open_one(struct rx_sockets *sockets, uint32_t flow, uint16_t port)
{
	struct epoll_event event = {.events = EPOLLIN};
	uint16_t sport = BENCH_PORT + (flow & BENCH_PORT_MASK);
	uint16_t dport = port + (flow >> BENCH_PORT_BITS);
	int fd = socket(AF_INET, (sockets->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	sockets->fd[sockets->count++] = fd;
	err = sockets->udp ? listen_udp(fd, dport) : establish(fd, sport, dport);
	event.data.fd = fd;
	if (!err && epoll_ctl(sockets->epoll, EPOLL_CTL_ADD, fd, &event))
		err = -errno;
	return err;
}

/* Not less than before: who may not raise the limit could not go back. */
static int room_for_descriptors(struct rx_system *system, uint32_t count)
{
	const struct rlimit wanted = {count + SPARE_DESCRIPTORS, count + SPARE_DESCRIPTORS};
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	if (limit.rlim_cur >= wanted.rlim_cur || !setrlimit(RLIMIT_NOFILE, &wanted))
		return 0;
	snprintf(system->why, sizeof(system->why),
		 "%u sockets want as many descriptors, and this process may have %llu (ulimit -n)",
		 count, (unsigned long long)limit.rlim_max);
	return -EMFILE;
}

static void sockets_free(struct rx_sockets *sockets)
{
	if (sockets->epoll >= 0)
		close(sockets->epoll);
	free(sockets->buffer);
	free(sockets->fd);
	free(sockets);
}

static struct rx_sockets *sockets_new(const struct rx_traffic *traffic)
{
	struct rx_sockets *sockets = calloc(1, sizeof(*sockets));
	uint32_t i;

	if (!sockets)
		return NULL;
	sockets->udp = traffic->udp;
	sockets->payload = traffic->payload;
	sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
	sockets->fd = calloc(traffic->flows, sizeof(*sockets->fd));
	sockets->buffer = aligned_alloc(4096, READ_SIZE);
	if (sockets->epoll < 0 || !sockets->fd || !sockets->buffer) {
		sockets_free(sockets);
		return NULL;
	}
	for (i = 0; i < MESSAGES; i++) {
		sockets->piece[i] =
			(struct iovec){sockets->buffer + i * MESSAGE_SIZE, MESSAGE_SIZE};
		sockets->message[i].msg_hdr.msg_iov = &sockets->piece[i];
		sockets->message[i].msg_hdr.msg_iovlen = 1;
	}
	return sockets;
}

static int sockets_open(struct rx_system *system, const struct rx_traffic *traffic,
			enum rx_wait wait)
{
	int err = room_for_descriptors(system, traffic->flows);

	if (err)
		return err;
	system->sockets = sockets_new(traffic);
	if (!system->sockets)
		return -ENOMEM;
	err = addresses_add();
	if (err)
		sockets_free(system->sockets);
	return err;
}

static void sockets_close(struct rx_system *system)
{
	close_all(system->sockets);
	addresses_del();
	sockets_free(system->sockets);
}

/* UDP: one socket has the datagrams of all flows, which differ in where they come from. */
static int sockets_prepare(struct rx_system *system, const struct rx_traffic *traffic,
			   uint16_t port)
{
	struct rx_sockets *sockets = system->sockets;
	uint32_t count = traffic->udp ? 1 : traffic->flows;
	uint32_t i;
	int err = 0;

	close_all(sockets);
	for (i = 0; !err && i < count; i++)
		err = open_one(sockets, i, port);
	return err;
}

static int read_stream(struct rx_sockets *sockets, int fd)
{
	size_t size = READ_SIZE - READ_SIZE % sockets->payload;
	ssize_t len = recv(fd, sockets->buffer, size, MSG_DONTWAIT);
	ssize_t at;

	if (len <= 0)
		return 0;
	/* After a pause several packets are read at once. */
	for (at = 0; bench_latency_on && at < len; at += sockets->payload)
		bench_latency_saw(sockets->buffer + at);
	__atomic_store_n(&sockets->bytes, sockets->bytes + len, __ATOMIC_RELAXED);
	return 1;
}

static int read_datagrams(struct rx_sockets *sockets, int fd)
{
	int count = recvmmsg(fd, sockets->message, MESSAGES, MSG_DONTWAIT, NULL);
	uint64_t bytes = sockets->bytes;
	int i;

	for (i = 0; i < count; i++)
		bytes += sockets->message[i].msg_len;
	__atomic_store_n(&sockets->bytes, bytes, __ATOMIC_RELAXED);
	return count;
}

static int consume(struct rx_sockets *sockets, int timeout_ms)
{
	struct epoll_event event[EVENTS];
	int count = epoll_wait(sockets->epoll, event, EVENTS, timeout_ms);
	int i, done = 0;

	for (i = 0; i < count; i++)
		done += sockets->udp ? read_datagrams(sockets, event[i].data.fd)
				     : read_stream(sockets, event[i].data.fd);
	return done;
}

static int sockets_consume(struct rx_system *system)
{
	return consume(system->sockets, 0);
}

static int sockets_sleep(struct rx_system *system)
{
	return consume(system->sockets, 100);
}

static uint64_t sockets_bytes(struct rx_system *system)
{
	return __atomic_load_n(&system->sockets->bytes, __ATOMIC_RELAXED);
}

const struct rx_ops rx_socket_ops = {
	.open = sockets_open,
	.close = sockets_close,
	.prepare = sockets_prepare,
	.consume = sockets_consume,
	.sleep = sockets_sleep,
	.bytes = sockets_bytes,
};
