// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * transmit.bpf.c - packets made in the kernel: the engine `run` (T1 to T5).
 *
 * In: a write (entries, destinations, a job) that the library has laid down in maps, and empty
 * frames, one for each run, which BPF_PROG_TEST_RUN lends (BPF_F_TEST_XDP_LIVE_FRAMES). Out: each
 * frame with the headers of the destination whose turn it is and the next piece of its data,
 * copied straight from the UMEM, redirected to the destination's interface. A run for which
 * nothing is left drops its frame.
 *
 * What becomes of a frame after that only tracepoints tell. Two programs behind them keep the
 * account: frames that a driver took, frames that it refused because its ring was full, which are
 * made again before any new one, and frames that met an error. Frames come in batches of as many
 * as the kernel hands to a driver at once, so what was refused is made again in its order.
 *
 * All maps but xp_tx_job's private half can be written by user space. It can spoil its own
 * packets; the memory that they are made of, and of which frames, is bounded here.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "compiler.h"
#include "transmit.h"

const volatile struct xp_tx_config xp_tx_config = {.bank_shift = 16, .csum_step = 512};

/* The memory: a context's UMEM, or the transmitter's own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, 4);
	__uint(value_size, 1 << 16);
	__uint(max_entries, 1);
} xp_umem SEC(".maps");

/* max_entries: destinations. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_tx_destination);
	__uint(max_entries, 1);
} xp_tx_dests SEC(".maps");

/* max_entries: entries of a write. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_tx_entry);
	__uint(max_entries, 1);
} xp_tx_entries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct xp_tx_job);
	__uint(max_entries, 1);
} xp_tx_job SEC(".maps");

static __always_inline struct xp_tx_entry *xp_tx_entry_at(void *entries, __u32 i)
{
	return bpf_map_lookup_elem(&xp_tx_entries, &i);
}

static __always_inline struct xp_tx_job *xp_job(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xp_tx_job, &zero);
}

/* ---- payload ---- */

/* So many bytes of the memory from `at` on, which lie in one bank; NULL: they do not. */
static __always_inline void *xp_payload(__u64 at)
{
	__u32 bank = at >> xp_tx_config.bank_shift;
	__u64 offset = at & ((1ull << xp_tx_config.bank_shift) - 1);
	char *base = bpf_map_lookup_elem(&xp_umem, &bank);

	if (!base || offset > (1ull << xp_tx_config.bank_shift) - XP_TX_MOST - 4)
		return NULL;
	return base + offset;
}

/* The sum of payload, in steps that this kernel takes; negative: it can't be. */
static __always_inline __s64 xp_payload_sum(__u64 at, __u32 length)
{
	__u32 i, words = length & 0xffc;
	__s64 sum = 0;
	char *p;

	if (xp_tx_config.csum_step < XP_TX_MOST) {
		for (i = 0; i < XP_TX_MOST / 512; i++) {
			if (i >= length / 512)
				break;
			p = xp_payload(at + i * 512);
			if (!p)
				return -1;
			sum = bpf_csum_diff(NULL, 0, (void *)p, 512, sum);
		}
		words &= 508;
	}
	p = xp_payload(at + (length & 0xffc) - words);
	xp_opaque(words);
	if (!p || words > XP_TX_MOST)
		return -1;
	sum = bpf_csum_diff(NULL, 0, (void *)p, words, sum);
	if (sum < 0 || !(length & 3))
		return sum;
	p = xp_payload(at + (length & 0xffc));
	return p ? sum + (__s64)xp_sum_tail((unsigned char *)p, length & 3) : -1;
}

/* ---- a packet ---- */

static __always_inline void xp_copy_block(void *frame, const struct xp_tx_face *face)
{
	const __u64 *from = (const void *)face->block;
	__u64 *to = frame;
	int i;

	xp_unroll for (i = 0; i < 6; i++) to[i] = from[i];
	if (face->front <= 48)
		return;
	xp_unroll for (i = 6; i < (int)XP_TX_BLOCK / 8; i++) to[i] = from[i];
}

/*
 * Headers and payload into the frame, which is cut to their length: 0, or an errno. The block is
 * copied as it is: user space can put anything there anyway.
 */
static __always_inline int xp_make(struct xdp_md *ctx, const struct xp_tx_face *face,
				   const struct xp_tx_packet *p, __u32 timestamp, __u32 marker)
{
	void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	unsigned char *ip = frame + (face->l3 & 31), *udp = frame + (face->l4 & 63);
	__u32 front = face->front;
	__u32 have = end - frame;
	__u64 length = p->length;
	void *payload = NULL;
	__s64 sum = 0;

	if (frame + XP_TX_LEAST > end || front > XP_TX_BLOCK)
		return EINVAL;
	if (length) {
		payload = xp_payload(p->at);
		if (!payload)
			return EFAULT;
		if (!(face->flags & XP_TX_NO_CHECKSUM))
			sum = xp_payload_sum(p->at, length);
		if (sum < 0)
			return EFAULT;
	}
	xp_copy_block(frame, face);
	xp_opaque(ip);
	xp_opaque(udp);
	if ((void *)ip + 20 > end || (void *)udp + 8 + XP_RTP_BYTES > end)
		return EINVAL;
	xp_tx_patch(ip, udp, face, p, timestamp, marker, sum);
	if (payload) {
		length -= 1;
		xp_opaque(length);
		if (length >= XP_TX_MOST)
			return EINVAL;
		if (bpf_xdp_store_bytes(ctx, front, payload, length + 1))
			return EINVAL;
	}
	if (front + p->length != have &&
	    bpf_xdp_adjust_tail(ctx, (int)(front + p->length) - (int)have))
		return EINVAL;
	return 0;
}

static __always_inline int xp_send(struct xdp_md *ctx, struct xp_tx_job *job,
				   const struct xp_tx_packet *p, __u32 state)
{
	struct xp_tx_packet *out = &job->out[job->made & (XP_TX_BATCH - 1)];

	job->made++;
	if (xp_tx_config.counted) {
		*out = *p;
		out->state = state;
	} else {
		job->packets++;
		job->bytes += p->length;
	}
	return bpf_redirect(p->ifindex, 0);
}

static __always_inline struct xp_tx_destination *xp_destination(const struct xp_tx_entry *e)
{
	__u32 i = e->destination;

	return bpf_map_lookup_elem(&xp_tx_dests, &i);
}

static __always_inline void xp_failed(struct xp_tx_job *job, struct xp_tx_packet *p, int err)
{
	struct xp_tx_entry *e = xp_tx_entry_at(NULL, p->entry);
	struct xp_tx_destination *d = e ? xp_destination(e) : NULL;

	p->state = XP_TX_IDLE;
	job->failed++;
	if (d) {
		d->refused++;
		d->refused_bytes += p->length;
	}
	if (job->error)
		return;
	job->error = -err;
	job->at_entry = p->entry;
}

/* A packet that a driver refused, once more, unless the way to its destination has changed. */
static __always_inline int xp_again(struct xdp_md *ctx, struct xp_tx_job *job)
{
	struct xp_tx_packet p = job->refused[job->retried & (XP_TX_BATCH - 1)];
	struct xp_tx_destination *d;
	struct xp_tx_face *face;
	struct xp_tx_entry *e;
	int err;

	job->retried++;
	e = xp_tx_entry_at(NULL, p.entry);
	d = e ? xp_destination(e) : NULL;
	if (!d)
		return XDP_DROP;
	face = &d->face[d->active & 1];
	err = face->error;
	if (!err && face->ifindex != p.ifindex)
		err = ENETUNREACH;
	if (!err)
		err = xp_make(ctx, face, &p, e->timestamp, p.last & e->flags & XP_TX_MARKER);
	if (!err)
		return xp_send(ctx, job, &p, XP_TX_OUT_AGAIN);
	xp_failed(job, &p, -err);
	return XDP_DROP;
}

/* The destination can't be sent to: its entries are left as they are. */
static __always_inline int xp_give_up(struct xp_tx_job *job, struct xp_tx_entry *e, __u32 err)
{
	e->error = err;
	xp_tx_leave(NULL, job, e);
	return XDP_DROP;
}

static __always_inline int xp_next(struct xdp_md *ctx, struct xp_tx_job *job)
{
	__u32 have = ctx->data_end - ctx->data, room;
	struct xp_tx_packet p = {};
	struct xp_tx_destination *d;
	struct xp_tx_face *face;
	struct xp_tx_entry *e;
	int err;

	e = xp_tx_entry_at(NULL, job->at);
	d = e ? xp_destination(e) : NULL;
	if (!d) {
		job->ring = 0;
		return XDP_DROP;
	}
	face = &d->face[d->active & 1];
	room = face->room;
	if (face->error || !room || face->front >= have)
		return xp_give_up(job, e, face->error ?: EINVAL);
	if (room > have - face->front)
		room = have - face->front;
	p.at = e->at;
	p.entry = job->at;
	p.ifindex = face->ifindex;
	p.length = e->left < room ? e->left : room;
	p.last = p.length == e->left;
	p.id = d->id;
	p.sequence = d->sequence;
	err = xp_make(ctx, face, &p, e->timestamp, p.last & e->flags & XP_TX_MARKER);
	if (err)
		return xp_give_up(job, e, err);
	d->id++;
	d->sequence++;
	d->packets++;
	d->bytes += p.length;
	xp_tx_advance(NULL, job, e, p.length, d->weight);
	return xp_send(ctx, job, &p, XP_TX_OUT);
}

SEC("xdp")
int xp_transmit(struct xdp_md *ctx)
{
	struct xp_tx_job *job = xp_job();

	if (!job)
		return XDP_DROP;
	job->cpu = bpf_get_smp_processor_id();
	if (job->retried != job->again)
		return xp_again(ctx, job);
	if (!job->ring)
		return XDP_DROP;
	return xp_next(ctx, job);
}

/* ---- the account ---- */

struct net_device___xp {
	int ifindex;
} __attribute__((preserve_access_index));

/* The job, if packets of it are on their way on this CPU: a batch does not leave its CPU. */
static __always_inline struct xp_tx_job *xp_job_here(void)
{
	struct xp_tx_job *job = xp_job();

	return job && job->cpu == bpf_get_smp_processor_id() ? job : NULL;
}

/* No room at the moment, and nothing worse? */
static __always_inline int xp_full(int err)
{
	return err >= 0 || err == -EBUSY || err == -ENOSPC || err == -EAGAIN || err == -ENOBUFS ||
	       err == -ENOMEM;
}

/* A driver was handed frames: it took `sent`, in order, and refused the others. */
SEC("raw_tracepoint/xdp_devmap_xmit")
int xp_sent(struct bpf_raw_tracepoint_args *ctx)
{
	const struct net_device___xp *device = (const void *)ctx->args[1];
	int sent = ctx->args[2], err = ctx->args[4], i;
	struct xp_tx_job *job = xp_job_here();
	struct xp_tx_packet *p;
	__u32 ifindex;

	if (!job)
		return 0;
	ifindex = BPF_CORE_READ(device, ifindex);
	for (i = 0; i < (int)XP_TX_BATCH; i++) {
		p = &job->out[(job->made + i) & (XP_TX_BATCH - 1)];
		if (p->state == XP_TX_IDLE || p->ifindex != ifindex)
			continue;
		if (sent-- > 0) {
			job->packets++;
			job->bytes += p->length;
			job->retries += p->state == XP_TX_OUT_AGAIN;
			p->state = XP_TX_IDLE;
		} else if (xp_full(err)) {
			p->state = XP_TX_IDLE;
			job->refused[job->again++ & (XP_TX_BATCH - 1)] = *p;
		} else {
			xp_failed(job, p, err);
		}
	}
	return 0;
}

/* The frame of the last run went nowhere: no such interface, link down, too long. */
SEC("raw_tracepoint/xdp_redirect_err")
int xp_lost(struct bpf_raw_tracepoint_args *ctx)
{
	struct xp_tx_job *job = xp_job_here();
	struct xp_tx_packet *p;

	if (!job)
		return 0;
	p = &job->out[(job->made - 1) & (XP_TX_BATCH - 1)];
	if (p->state != XP_TX_IDLE)
		xp_failed(job, p, (int)ctx->args[3]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
