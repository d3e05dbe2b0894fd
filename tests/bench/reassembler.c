/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reassembler.c - the peer: AF_XDP in copy mode, and a consumer that puts the streams together.
 *
 * In: frames from an AF_XDP socket. Out: for every flow its bytes in order in a buffer of its
 * own, which is where xdplace's consumer finds them as well. Written to be as fast as this way of
 * receiving can be: frames of 2 KiB so that few pages are in use, batches of 64, the next packet
 * fetched into the cache while this one is copied, one multiply for the hash, flows in one cache
 * line each, no system call at all while packets come in (copy mode never needs to be woken for
 * receiving).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <xdp/xsk.h>

#include "bench.h"

#define FRAME 2048u
#define FRAMES 4096u
#define UMEM ((size_t)FRAME * FRAMES)
#define BATCH 64u
#define AHEAD 2u	   /* packets to fetch ahead */
#define TABLE 4096u	   /* flows, a power of two */
#define BUFFER (64u << 10) /* bytes of stream a flow can hold; then it begins again */
#define BUFFERS 1024u

struct flow {
	uint64_t address; /* both */
	uint32_t ports;	  /* both */
	uint32_t next;	  /* sequence number */
	uint64_t edge;	  /* stream offset: bytes in place */
	uint8_t *buffer;  /* NULL: entry is free */
} __attribute__((aligned(64)));

struct bench_reassembler {
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	uint8_t *memory;  /* UMEM */
	uint8_t *buffers; /* of the flows */
	uint32_t used_buffers;
	bool verify;
	uint64_t bytes;
	uint64_t dropped; /* foreign, damaged, of no flow */
	struct flow flow[TABLE];
};

/* What the parser found. */
struct segment {
	uint64_t address;
	uint32_t ports;
	uint32_t seq;
	const uint8_t *tcp;
	uint32_t tcp_len; /* with the payload */
	uint32_t header;  /* of TCP, bytes */
	uint8_t flags;
};

static bool parse(const uint8_t *frame, uint32_t len, struct segment *segment)
{
	const struct ethhdr *eth = (const void *)frame;
	const struct iphdr *ip = (const void *)(eth + 1);
	const struct tcphdr *tcp;
	uint32_t ip_len, ip_header;

	if (len < sizeof(*eth) + sizeof(*ip) || eth->h_proto != htons(ETH_P_IP))
		return false;
	ip_header = ip->ihl * 4;
	ip_len = ntohs(ip->tot_len);
	if (ip->version != 4 || ip_header < sizeof(*ip) || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & htons(IP_MF | IP_OFFMASK) || ip_len > len - sizeof(*eth) ||
	    ip_len < ip_header + sizeof(*tcp))
		return false;
	tcp = (const void *)((const uint8_t *)ip + ip_header);
	segment->header = tcp->doff * 4;
	segment->tcp_len = ip_len - ip_header;
	if (segment->header < sizeof(*tcp) || segment->header > segment->tcp_len)
		return false;
	memcpy(&segment->address, &ip->saddr, sizeof(segment->address));
	memcpy(&segment->ports, &tcp->source, sizeof(segment->ports));
	segment->seq = ntohl(tcp->seq);
	segment->flags = ((const uint8_t *)tcp)[13];
	segment->tcp = (const uint8_t *)tcp;
	return true;
}

/* RFC 1071, in four sums that do not wait for each other. */
static uint16_t checksum(const uint8_t *data, size_t len, uint64_t sum)
{
	uint64_t part[4] = {sum, 0, 0, 0};
	uint32_t word[4];
	uint16_t tail;
	size_t i;

	for (; len >= sizeof(word); len -= sizeof(word), data += sizeof(word)) {
		memcpy(word, data, sizeof(word));
		for (i = 0; i < 4; i++)
			part[i] += word[i];
	}
	sum = part[0] + part[1] + part[2] + part[3];
	for (i = 0; i < len; i += sizeof(tail)) {
		tail = 0;
		memcpy(&tail, data + i, len - i < sizeof(tail) ? 1 : sizeof(tail));
		sum += tail;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static bool intact(const struct segment *segment)
{
	uint64_t pseudo = htons(IPPROTO_TCP) + htons(segment->tcp_len);

	pseudo += (uint32_t)segment->address;
	pseudo += segment->address >> 32;
	return checksum(segment->tcp, segment->tcp_len, pseudo) == 0xffff;
}

/* The flow of these addresses and ports, or the free entry where it belongs; NULL: table full. */
static struct flow *find(struct bench_reassembler *r, const struct segment *segment)
{
	uint64_t hash = (segment->address ^ (uint64_t)segment->ports << 16) * 0x9e3779b97f4a7c15u;
	uint32_t at = hash >> 40;
	uint32_t i;
	struct flow *flow;

	for (i = 0; i < TABLE; i++) {
		flow = &r->flow[(at + i) & (TABLE - 1)];
		if (flow->address == segment->address && flow->ports == segment->ports)
			return flow;
		if (!flow->buffer)
			return flow;
	}
	return NULL;
}

static bool begin(struct bench_reassembler *r, struct flow *flow, const struct segment *segment)
{
	if (r->used_buffers == BUFFERS)
		return false;
	flow->address = segment->address;
	flow->ports = segment->ports;
	flow->next = segment->seq;
	flow->edge = 0;
	flow->buffer = r->buffers + (size_t)BUFFER * r->used_buffers++;
	return true;
}

static void append(struct flow *flow, const uint8_t *data, uint32_t len)
{
	uint32_t at = flow->edge & (BUFFER - 1);
	uint32_t room = BUFFER - at;
	uint32_t first = len < room ? len : room;

	memcpy(flow->buffer + at, data, first);
	if (first < len)
		memcpy(flow->buffer, data + first, len - first);
	flow->edge += len;
	flow->next += len;
}

/*
 * A segment that does not come next only counts as dropped: nothing is lost or reordered where
 * this is measured, or else the measurement does not count.
 */
static void receive(struct bench_reassembler *r, const uint8_t *frame, uint32_t frame_len)
{
	struct segment segment;
	struct flow *flow;
	uint32_t len;

	if (!parse(frame, frame_len, &segment) || (r->verify && !intact(&segment)))
		goto drop;
	flow = find(r, &segment);
	if (!flow || (!flow->buffer && !begin(r, flow, &segment)))
		goto drop;
	len = segment.tcp_len - segment.header;
	if (segment.seq != flow->next || !len)
		goto drop;
	append(flow, segment.tcp + segment.header, len);
	__atomic_store_n(&r->bytes, r->bytes + len, __ATOMIC_RELAXED);
	return;
drop:
	r->dropped++;
}

static void prefetch(const uint8_t *frame, uint32_t len)
{
	uint32_t at;

	for (at = 0; at < len; at += 64)
		__builtin_prefetch(frame + at);
}

static const uint8_t *frame_of(const struct bench_reassembler *r, uint32_t index, uint32_t *len)
{
	const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&r->rx, index);

	*len = desc->len;
	return r->memory + desc->addr;
}

static void give_back(struct bench_reassembler *r, uint32_t index, uint32_t count)
{
	uint32_t to, i;

	/* There are no more frames than the ring has room for: it takes them all. */
	if (xsk_ring_prod__reserve(&r->fill, count, &to) != count)
		return;
	for (i = 0; i < count; i++)
		*xsk_ring_prod__fill_addr(&r->fill, to + i) =
			xsk_ring_cons__rx_desc(&r->rx, index + i)->addr & ~(uint64_t)(FRAME - 1);
	xsk_ring_prod__submit(&r->fill, count);
}

int bench_reassembler_run(struct bench_reassembler *r)
{
	uint32_t index, len, i;
	uint32_t count = xsk_ring_cons__peek(&r->rx, BATCH, &index);
	const uint8_t *frame;

	for (i = 0; i < count && i < AHEAD; i++) {
		frame = frame_of(r, index + i, &len);
		prefetch(frame, len);
	}
	for (i = 0; i < count; i++) {
		if (i + AHEAD < count) {
			frame = frame_of(r, index + i + AHEAD, &len);
			prefetch(frame, len);
		}
		frame = frame_of(r, index + i, &len);
		receive(r, frame, len);
	}
	if (!count)
		return 0;
	give_back(r, index, count);
	xsk_ring_cons__release(&r->rx, count);
	return count;
}

uint64_t bench_reassembler_bytes(const struct bench_reassembler *r)
{
	return __atomic_load_n(&r->bytes, __ATOMIC_RELAXED);
}

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void fill_all(struct bench_reassembler *r)
{
	uint32_t index, i;

	if (xsk_ring_prod__reserve(&r->fill, FRAMES, &index) != FRAMES)
		return;
	for (i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&r->fill, index + i) = (uint64_t)i * FRAME;
	xsk_ring_prod__submit(&r->fill, FRAMES);
}

/* The kernel lets go of a queue's former socket a while after it is closed. */
static int bind_socket(struct bench_reassembler *r, const char *ifname)
{
	const struct xsk_socket_config config = {
		.rx_size = FRAMES,
		.tx_size = 64,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	};
	int err = -EBUSY;
	int i;

	for (i = 0; err == -EBUSY && i < 100; i++) {
		if (i)
			usleep(10000);
		err = xsk_socket__create(&r->socket, ifname, 0, r->umem, &r->rx, &r->tx, &config);
	}
	return err;
}

static int open_socket(struct bench_reassembler *r, const char *ifname, int xsks_map)
{
	const struct xsk_umem_config umem = {
		.fill_size = FRAMES,
		.comp_size = 64,
		.frame_size = FRAME,
	};
	__u32 key = 0;
	int fd, err;

	err = xsk_umem__create(&r->umem, r->memory, UMEM, &r->fill, &r->completion, &umem);
	if (err)
		return err;
	fill_all(r);
	err = bind_socket(r, ifname);
	if (err)
		return err;
	fd = xsk_socket__fd(r->socket);
	return bpf_map_update_elem(xsks_map, &key, &fd, BPF_ANY) ? -errno : 0;
}

struct bench_reassembler *bench_reassembler_open(const char *ifname, int xsks_map, bool verify)
{
	struct bench_reassembler *r = aligned_alloc(64, sizeof(*r));
	int err = ENOMEM;

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->verify = verify;
	r->memory = map_memory(UMEM);
	r->buffers = map_memory((size_t)BUFFER * BUFFERS);
	if (r->memory && r->buffers)
		err = -open_socket(r, ifname, xsks_map);
	if (!err)
		return r;
	bench_reassembler_close(r);
	errno = err;
	return NULL;
}

void bench_reassembler_close(struct bench_reassembler *r)
{
	if (!r)
		return;
	if (r->socket)
		xsk_socket__delete(r->socket);
	if (r->umem)
		xsk_umem__delete(r->umem);
	if (r->memory)
		munmap(r->memory, UMEM);
	if (r->buffers)
		munmap(r->buffers, (size_t)BUFFER * BUFFERS);
	free(r);
}
