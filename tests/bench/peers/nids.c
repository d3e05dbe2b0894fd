/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nids.c - the peer libnids, on AF_PACKET's TPACKET_V3 through libpcap.
 *
 * In: an interface. Out: bytes of streams that libnids gave to its callback. It copies each
 * segment into a buffer of the stream's, calls back and discards: that is how it is used. Its own
 * pcap handle would take 16 KiB of a packet and have a ring of 2 MiB: it gets one that has room for
 * what GRO makes and for bursts. Checksums are left to the kernel, which verified those of the
 * packets that GRO merged.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <nids.h>

#include "peer.h"

#define SNAP (128 << 10)
#define RING (128 << 20)
#define TIMEOUT_MS 1
#define NAP_NS 100000
#define LONG_NAP_NS 500000

static struct peer_shared *shared;
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static void count(const void *data, int len)
{
	if (len <= 0)
		return;
	if (shared->stamped)
		peer_saw(shared, data);
	__atomic_store_n(&shared->bytes, shared->bytes + len, __ATOMIC_RELAXED);
}

static void on_tcp(struct tcp_stream *stream, void **arg)
{
	switch (stream->nids_state) {
	case NIDS_JUST_EST:
		stream->server.collect++;
		break;
	case NIDS_DATA:
		count(stream->server.data, stream->server.count_new);
		break;
	}
}

static void on_udp(struct tuple4 *addr, char *data, int len, struct ip *ip)
{
	count(data, len);
}

/* Its own would write to the system's log, for each packet that it does not like. */
static void say_nothing(int type, int code, void *ip, void *data)
{
}

/* Who wants each packet at once does without TPACKET_V3, which tells of blocks of them. */
static pcap_t *open_pcap(const char *interface, bool at_once)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(interface, error);

	if (!pcap)
		return NULL;
	pcap_set_snaplen(pcap, SNAP);
	pcap_set_buffer_size(pcap, RING);
	pcap_set_timeout(pcap, TIMEOUT_MS);
	pcap_set_immediate_mode(pcap, at_once);
	pcap_set_promisc(pcap, 1);
	if (pcap_activate(pcap) < 0) {
		fprintf(stderr, "pcap: %s\n", pcap_geterr(pcap));
		return NULL;
	}
	return pcap;
}

static bool start(const char *interface, unsigned int flows, bool at_once)
{
	static struct nids_chksum_ctl control = {.action = NIDS_DONT_CHKSUM};
	pcap_t *pcap = open_pcap(interface, at_once);

	if (!pcap)
		return false;
	nids_params.pcap_desc = pcap;
	nids_params.n_tcp_streams = flows < 1024 ? 4096 : flows * 4;
	nids_params.scan_num_hosts = 0;
	nids_params.pcap_filter = NULL;
	nids_params.syslog = say_nothing;
	nids_register_chksum_ctl(&control, 1);
	if (!nids_init()) {
		fprintf(stderr, "libnids: %s\n", nids_errbuf);
		return false;
	}
	nids_register_tcp(on_tcp);
	nids_register_udp(on_udp);
	return !pcap_setnonblock(pcap, 1, nids_errbuf);
}

static void rest(const char *wait)
{
	const struct timespec nap = {.tv_nsec = *wait == 'n' ? NAP_NS : LONG_NAP_NS};
	struct pollfd fd = {.fd = nids_getfd(), .events = POLLIN};

	if (*wait == 's')
		poll(&fd, 1, 100);
	else if (*wait != 'b')
		nanosleep(&nap, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
	if (shared == MAP_FAILED ||
	    !start(argv[1], atoi(argv[3]), *argv[4] == 'b' || *argv[4] == 's'))
		return 1;
	signal(SIGTERM, on_signal);
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	while (!stop) {
		/* It keeps as many as it was told to, then those that were idle longest go. */
		if (peer_asked(shared))
			peer_forgot(shared);
		if (nids_dispatch(-1) <= 0)
			rest(argv[4]);
	}
	return 0;
}
