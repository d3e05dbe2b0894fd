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
#include <netinet/udp.h>
#include <poll.h>
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
#define AHEAD 2u   /* packets to fetch ahead */
#define EXTENTS 8u /* pieces of a stream that may be early at a time */
#define TABLE_LEAST 4096u
#define FEW_FLOWS 64u
#define BUFFER_MOST (64u << 10) /* bytes of stream a flow can hold; then it begins again */
#define BUFFER_LESS (8u << 10)	/* of one of some: less memory in use is more in the cache */
#define MANY_FLOWS 8192u
#define BUFFER_LEAST (4u << 10) /* of one of many: what xdplace has for each as well */

/* Stream offsets of data that are in place behind a hole, in order of offset. */
struct early {
	uint64_t from[EXTENTS];
	uint64_t to[EXTENTS];
	uint32_t count;
};

struct flow {
	uint64_t address;    /* both */
	uint32_t ports;	     /* both */
	uint32_t next;	     /* sequence number */
	uint64_t edge;	     /* stream offset: bytes in place */
	uint8_t *buffer;     /* NULL: entry is free */
	struct early *early; /* NULL: there never was a hole */
	uint8_t proto;
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
	uint32_t most_buffers;
	uint32_t buffer_size; /* a power of two */
	bool verify;
	uint64_t bytes;
	uint64_t dropped;   /* foreign, damaged, of no flow */
	struct flow *table; /* a power of two */
	uint32_t table_mask;
};

/* What the parser found. */
struct segment {
	uint64_t address;
	uint32_t ports;
	uint32_t seq;
	const uint8_t *start; /* of TCP or UDP */
	uint32_t len;	      /* with the payload */
	uint32_t header;      /* bytes */
	uint8_t proto;
	bool syn;
};

static bool parse_tcp(struct segment *segment)
{
	const struct tcphdr *tcp = (const void *)segment->start;

	if (segment->len < sizeof(*tcp))
		return false;
	segment->header = tcp->doff * 4;
	segment->seq = ntohl(tcp->seq);
	segment->syn = tcp->syn;
	return segment->header >= sizeof(*tcp) && segment->header <= segment->len;
}

static bool parse_udp(struct segment *segment)
{
	const struct udphdr *udp = (const void *)segment->start;

	if (segment->len < sizeof(*udp))
		return false;
	segment->header = sizeof(*udp);
	segment->syn = false;
	return ntohs(udp->len) == segment->len;
}

static bool parse(const uint8_t *frame, uint32_t len, struct segment *segment)
{
	const struct ethhdr *eth = (const void *)frame;
	const struct iphdr *ip = (const void *)(eth + 1);
	uint32_t ip_len, ip_header;

	if (len < sizeof(*eth) + sizeof(*ip) || eth->h_proto != htons(ETH_P_IP))
		return false;
	ip_header = ip->ihl * 4;
	ip_len = ntohs(ip->tot_len);
	if (ip->version != 4 || ip_header < sizeof(*ip) ||
	    ip->frag_off & htons(IP_MF | IP_OFFMASK) || ip_len > len - sizeof(*eth) ||
	    ip_len < ip_header)
		return false;
	segment->start = (const uint8_t *)ip + ip_header;
	segment->len = ip_len - ip_header;
	segment->proto = ip->protocol;
	if (!(ip->protocol == IPPROTO_TCP && parse_tcp(segment)) &&
	    !(ip->protocol == IPPROTO_UDP && parse_udp(segment)))
		return false;
	memcpy(&segment->address, &ip->saddr, sizeof(segment->address));
	memcpy(&segment->ports, segment->start, sizeof(segment->ports));
	return true;
}

static bool intact(const struct segment *segment)
{
	uint64_t pseudo = htons(segment->proto) + htons(segment->len);

	pseudo += (uint32_t)segment->address;
	pseudo += segment->address >> 32;
	return bench_checksum(segment->start, segment->len, pseudo) == 0xffff;
}

/* The flow of these addresses and ports, or the free entry where it belongs; NULL: table full. */
static struct flow *find(struct bench_reassembler *r, const struct segment *segment)
{
	uint64_t hash = (segment->address ^ (uint64_t)segment->ports << 16) * 0x9e3779b97f4a7c15u;
	uint32_t at = hash >> 40;
	uint32_t i;
	struct flow *flow;

	for (i = 0; i <= r->table_mask; i++) {
		flow = &r->table[(at + i) & r->table_mask];
		if (flow->address == segment->address && flow->ports == segment->ports &&
		    flow->proto == segment->proto)
			return flow;
		if (!flow->buffer)
			return flow;
	}
	return NULL;
}

static bool begin(struct bench_reassembler *r, struct flow *flow, const struct segment *segment)
{
	if (r->used_buffers == r->most_buffers)
		return false;
	flow->address = segment->address;
	flow->ports = segment->ports;
	flow->proto = segment->proto;
	flow->next = segment->seq + segment->syn;
	flow->edge = 0;
	flow->buffer = r->buffers + (size_t)r->buffer_size * r->used_buffers++;
	return true;
}

/* Copies to a stream offset; the buffer is used round and round. */
static void put(const struct bench_reassembler *r, struct flow *flow, uint64_t offset,
		const uint8_t *data, uint32_t len)
{
	uint32_t at = offset & (r->buffer_size - 1);
	uint32_t room = r->buffer_size - at;
	uint32_t first = len < room ? len : room;

	memcpy(flow->buffer + at, data, first);
	if (first < len)
		memcpy(flow->buffer, data + first, len - first);
}

static void advance(struct bench_reassembler *r, struct flow *flow, uint64_t edge)
{
	uint64_t len = edge - flow->edge;

	flow->edge = edge;
	flow->next += len;
	__atomic_store_n(&r->bytes, r->bytes + len, __ATOMIC_RELAXED);
}

/* What was early and is next to the edge now, is in sequence. */
static void catch_up(struct bench_reassembler *r, struct flow *flow)
{
	struct early *early = flow->early;
	uint32_t taken = 0;

	while (taken < early->count && early->from[taken] <= flow->edge) {
		if (early->to[taken] > flow->edge)
			advance(r, flow, early->to[taken]);
		taken++;
	}
	if (!taken)
		return;
	early->count -= taken;
	memmove(early->from, early->from + taken, early->count * sizeof(early->from[0]));
	memmove(early->to, early->to + taken, early->count * sizeof(early->to[0]));
}

/* Takes note of [from, to), which overlaps nothing that is noted: longer or new. */
static bool note_early(struct early *early, uint64_t from, uint64_t to)
{
	uint32_t i = early->count;

	while (i > 0 && early->from[i - 1] > from)
		i--;
	if (i > 0 && early->to[i - 1] >= from) {
		if (to > early->to[i - 1])
			early->to[i - 1] = to;
		return true;
	}
	if (early->count == EXTENTS)
		return false;
	memmove(early->from + i + 1, early->from + i, (early->count - i) * sizeof(*early->from));
	memmove(early->to + i + 1, early->to + i, (early->count - i) * sizeof(*early->to));
	early->from[i] = from;
	early->to[i] = to;
	early->count++;
	return true;
}

/* Straight to where it belongs, as xdplace does it: nothing is moved when the hole is filled. */
static bool place_early(struct bench_reassembler *r, struct flow *flow,
			const struct segment *segment, uint32_t len)
{
	uint32_t ahead = segment->seq - flow->next;
	uint64_t offset = flow->edge + ahead;

	if (ahead > r->buffer_size - len)
		return false;
	if (!flow->early)
		flow->early = calloc(1, sizeof(*flow->early));
	if (!flow->early || !note_early(flow->early, offset, offset + len))
		return false;
	put(r, flow, offset, segment->start + segment->header, len);
	return true;
}

static void receive(struct bench_reassembler *r, const uint8_t *frame, uint32_t frame_len)
{
	const uint8_t *data;
	struct segment segment = {0};
	struct flow *flow;
	uint32_t len;

	if (!parse(frame, frame_len, &segment) || (r->verify && !intact(&segment)))
		goto drop;
	flow = find(r, &segment);
	if (!flow || (!flow->buffer && !begin(r, flow, &segment)))
		goto drop;
	len = segment.len - segment.header;
	data = segment.start + segment.header;
	if (!len)
		return;
	if (segment.proto == IPPROTO_TCP && segment.seq != flow->next) {
		if (!place_early(r, flow, &segment, len))
			goto drop;
		return;
	}
	put(r, flow, flow->edge, data, len);
	advance(r, flow, flow->edge + len);
	bench_saw(data);
	if (flow->early && flow->early->count)
		catch_up(r, flow);
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

void bench_reassembler_sleep(struct bench_reassembler *r)
{
	struct pollfd fd = {.fd = xsk_socket__fd(r->socket), .events = POLLIN};

	poll(&fd, 1, 100);
}

void bench_reassembler_forget(struct bench_reassembler *r)
{
	uint32_t i;

	for (i = 0; i <= r->table_mask; i++)
		free(r->table[i].early);
	memset(r->table, 0, (r->table_mask + 1) * sizeof(*r->table));
	r->used_buffers = 0;
}

uint64_t bench_reassembler_bytes(const struct bench_reassembler *r)
{
	return __atomic_load_n(&r->bytes, __ATOMIC_RELAXED);
}

/* In huge pages where the system gives some: a page is a TLB entry for a packet or two. */
static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 0, size);
	return memory;
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

/* Twice the flows, so that few are out of their place. */
static bool make_tables(struct bench_reassembler *r, uint32_t flows)
{
	uint32_t entries = TABLE_LEAST;

	while (entries < 2 * flows)
		entries *= 2;
	r->table_mask = entries - 1;
	r->most_buffers = flows + 1;
	r->buffer_size = flows > MANY_FLOWS  ? BUFFER_LEAST
			 : flows > FEW_FLOWS ? BUFFER_LESS
					     : BUFFER_MOST;
	r->memory = map_memory(UMEM);
	r->buffers = map_memory((size_t)r->buffer_size * r->most_buffers);
	r->table = map_memory(entries * sizeof(*r->table));
	return r->memory && r->buffers && r->table;
}

struct bench_reassembler *bench_reassembler_open(const char *ifname, int xsks_map, bool verify,
						 uint32_t flows)
{
	struct bench_reassembler *r = calloc(1, sizeof(*r));
	int err = ENOMEM;

	if (!r)
		return NULL;
	r->verify = verify;
	if (make_tables(r, flows))
		err = -open_socket(r, ifname, xsks_map);
	if (!err)
		return r;
	bench_reassembler_close(r);
	errno = err;
	return NULL;
}

static void unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

void bench_reassembler_close(struct bench_reassembler *r)
{
	if (!r)
		return;
	if (r->socket)
		xsk_socket__delete(r->socket);
	if (r->umem)
		xsk_umem__delete(r->umem);
	if (r->table)
		bench_reassembler_forget(r);
	unmap(r->table, (r->table_mask + 1) * sizeof(*r->table));
	unmap(r->buffers, (size_t)r->buffer_size * r->most_buffers);
	unmap(r->memory, UMEM);
	free(r);
}
