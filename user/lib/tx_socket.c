/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_socket.c - one AF_XDP socket that only sends; see tx_socket.h.
 *
 * Made with plain system calls: libxdp 1.3 knows neither metadata nor how many descriptors a call
 * may take. Each socket registers the memory for itself, so that none inherits another's mode.
 * Chunks are unaligned: a descriptor may begin at any byte of the memory.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tx_socket.h"
#include "xsk.h"

#define SEND_BUFFER (32 << 20) /* bytes of packets in the kernel's hands */
#define FEW_PER_CALL 32u       /* descriptors, before Linux 6.17 */
#define MANY_PER_CALL 64u      /* with more, frames leave the cache before they are used again */

/* linux/if_xdp.h of 6.6, 6.11 and 6.17 */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_UMEM_TX_METADATA_LEN
#define XDP_UMEM_TX_METADATA_LEN (1 << 2)
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* struct xdp_umem_reg of 6.8; before, tx_metadata_len was padding. */
struct umem_reg {
	uint64_t addr;
	uint64_t len;
	uint32_t chunk_size;
	uint32_t headroom;
	uint32_t flags;
	uint32_t tx_metadata_len;
};

/* ---- what the kernel can do ---- */

/* It looks at the flags before it looks for the interface, and there is no interface 0. */
bool xp_tx_socket_fragments(void)
{
	const struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY | XDP_USE_SG,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	bool can;

	if (fd < 0)
		return false;
	can = bind(fd, (const struct sockaddr *)&address, sizeof(address)) && errno != EINVAL;
	close(fd);
	return can;
}

/* ---- opening ---- */

static int fail(const struct xp_tx_socket *s, const char *what)
{
	return xp_xsk_refused(s->name, s->queue, what, errno);
}

static int register_memory(struct xp_tx_socket *s, const struct xp_tx_umem *umem)
{
	struct umem_reg reg = {
		.addr = (uintptr_t)umem->start,
		.len = umem->size,
		.chunk_size = XP_TX_CHUNK,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG | XDP_UMEM_TX_METADATA_LEN,
		.tx_metadata_len = XP_TX_METADATA,
	};

	if (!s->zero_copy && !setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg))) {
		s->metadata = true;
		return 0;
	}
	reg.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG;
	reg.tx_metadata_len = 0;
	if (setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		return fail(s, "register memory with AF_XDP");
	return 0;
}

static int size_ring(struct xp_tx_socket *s, int ring, uint32_t size)
{
	if (setsockopt(s->fd, SOL_XDP, ring, &size, sizeof(size)))
		return fail(s, "make a ring");
	return 0;
}

static void *map_ring(struct xp_tx_socket *s, uint32_t i, size_t size, uint64_t offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->fd,
		       (off_t)offset);

	if (p == MAP_FAILED)
		return NULL;
	s->map[i] = p;
	s->map_size[i] = size;
	return p;
}

/* The ring that receiving drivers take chunks from is full before the socket is bound. */
static void fill(uint8_t *ring, const struct xdp_ring_offset *at, const struct xp_tx_umem *umem)
{
	uint64_t *chunk = (uint64_t *)(ring + at->desc);
	uint32_t i;

	for (i = 0; i < umem->chunks; i++)
		chunk[i] = umem->fill + (uint64_t)i * XP_TX_CHUNK;
	__atomic_store_n((uint32_t *)(ring + at->producer), umem->chunks, __ATOMIC_RELEASE);
}

static int map_rings(struct xp_tx_socket *s, const struct xp_tx_umem *umem)
{
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);
	uint8_t *fr, *cr, *tx;

	if (getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
		return fail(s, "find the rings");
	fr = map_ring(s, 0, at.fr.desc + umem->chunks * sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	cr = map_ring(s, 1, at.cr.desc + XP_TX_DONE * sizeof(uint64_t),
		      XDP_UMEM_PGOFF_COMPLETION_RING);
	tx = map_ring(s, 2, at.tx.desc + XP_TX_RING * sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	if (!fr || !cr || !tx)
		return fail(s, "map the rings");
	if (s->zero_copy)
		fill(fr, &at.fr, umem);
	s->producer = (uint32_t *)(tx + at.tx.producer);
	s->consumer = (uint32_t *)(tx + at.tx.consumer);
	s->flags = (uint32_t *)(tx + at.tx.flags);
	s->desc = (struct xdp_desc *)(tx + at.tx.desc);
	s->done_producer = (uint32_t *)(cr + at.cr.producer);
	s->done_consumer = (uint32_t *)(cr + at.cr.consumer);
	s->done = (uint64_t *)(cr + at.cr.desc);
	return 0;
}

/* As much as may be: without room the kernel answers EAGAIN, and we call again. */
static void set_limits(struct xp_tx_socket *s)
{
	const int buffer = SEND_BUFFER;
	const uint32_t budget = MANY_PER_CALL;

	if (setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)))
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	s->exact = !setsockopt(s->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	s->per_call = s->exact ? MANY_PER_CALL : FEW_PER_CALL;
}

static int bind_socket(struct xp_tx_socket *s)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_USE_NEED_WAKEUP | (s->zero_copy ? XDP_ZEROCOPY : XDP_COPY) |
			      (s->fragments ? XDP_USE_SG : 0),
		.sxdp_ifindex = s->ifindex,
		.sxdp_queue_id = s->queue,
	};

	if (bind(s->fd, (const struct sockaddr *)&address, sizeof(address)))
		return fail(s, "bind an AF_XDP socket");
	return 0;
}

static int try_to_open(struct xp_tx_socket *s, const struct xp_tx_umem *umem)
{
	int err;

	s->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return fail(s, "open an AF_XDP socket");
	err = register_memory(s, umem);
	if (!err)
		err = size_ring(s, XDP_UMEM_FILL_RING, umem->chunks);
	if (!err)
		err = size_ring(s, XDP_UMEM_COMPLETION_RING, XP_TX_DONE);
	if (!err)
		err = size_ring(s, XDP_TX_RING, XP_TX_RING);
	if (!err)
		err = map_rings(s, umem);
	if (err)
		return err;
	set_limits(s);
	return bind_socket(s);
}

int xp_tx_socket_open(struct xp_tx_socket *s, const struct xp_tx_umem *umem, bool no_copy_first,
		      uint32_t longest)
{
	static const struct {
		bool zero_copy;
		bool fragments;
	} ways[] = {{true, true}, {true, false}, {false, true}, {false, false}};
	bool fragments = xp_tx_socket_fragments();
	int err = -EOPNOTSUPP;
	uint32_t i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if ((ways[i].zero_copy && !no_copy_first) || (ways[i].fragments && !fragments) ||
		    (!ways[i].fragments && fragments && longest > XP_TX_CHUNK))
			continue;
		s->zero_copy = ways[i].zero_copy;
		s->fragments = ways[i].fragments;
		err = try_to_open(s, umem);
		if (!err)
			return 0;
		xp_tx_socket_close(s);
	}
	return err;
}

void xp_tx_socket_close(struct xp_tx_socket *s)
{
	uint32_t i;

	for (i = 0; i < sizeof(s->map) / sizeof(s->map[0]); i++) {
		if (s->map[i])
			munmap(s->map[i], s->map_size[i]);
		s->map[i] = NULL;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->metadata = false;
	s->next = s->told = s->taken = s->reaped = 0;
}

/* ---- sending ---- */

void xp_tx_socket_tell(struct xp_tx_socket *s, uint32_t upto)
{
	s->told = upto;
	__atomic_store_n(s->producer, upto, __ATOMIC_RELEASE);
}

int xp_tx_socket_call(const struct xp_tx_socket *s)
{
	return sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

bool xp_tx_socket_wants_call(const struct xp_tx_socket *s)
{
	return __atomic_load_n(s->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP;
}
