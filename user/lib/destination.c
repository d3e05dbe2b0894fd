/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * destination.c - destinations of a transmitter: open, close, get.
 *
 * In: addresses and wishes. Out: a number, and behind it a face that way.c finds and the thread of
 * follow.c keeps true. The thread is started with the first destination and ends with the
 * transmitter.
 *
 * Promises: the transmitter belongs to the network namespace that it was opened in; a port that
 * was chosen here is nobody else's while the transmitter is open.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "ways.h"

#define TTL 64
#define GROUP_TTL 1
#define TIMEOUT_MS 1000

/* ---- what is asked for ---- */

/* Address and port, as on the wire. */
static int read_address(const struct sockaddr *from, const char *what, struct xp_ip *ip,
			uint16_t *port, uint32_t *scope)
{
	const struct sockaddr_in6 *in6 = (const void *)from;
	const struct sockaddr_in *in = (const void *)from;

	*ip = (struct xp_ip){.family = from->sa_family};
	*scope = 0;
	if (from->sa_family == AF_INET) {
		memcpy(ip->byte, &in->sin_addr, 4);
		*port = in->sin_port;
		return 0;
	}
	if (from->sa_family != AF_INET6)
		return xp_fail(EINVAL, "%s: address family %u is neither IPv4 nor IPv6", what,
			       from->sa_family);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return xp_fail(EINVAL, "%s: an IPv4 address within IPv6: use struct sockaddr_in",
			       what);
	memcpy(ip->byte, &in6->sin6_addr, 16);
	*port = in6->sin6_port;
	*scope = in6->sin6_scope_id;
	return 0;
}

static bool ip_is_zero(const struct xp_ip *ip)
{
	static const uint8_t zero[sizeof(ip->byte)];

	return !memcmp(ip->byte, zero, sizeof(zero));
}

/* IPv6 addresses that mean something on one link only (RFC 4007). */
static bool ip_wants_scope(const struct xp_ip *ip)
{
	const struct in6_addr *in6 = (const void *)ip->byte;

	return ip->family == AF_INET6 &&
	       (IN6_IS_ADDR_LINKLOCAL(in6) || IN6_IS_ADDR_MC_LINKLOCAL(in6) ||
		IN6_IS_ADDR_MC_NODELOCAL(in6));
}

static int read_to(struct xp_way *w, const struct xdplace_destination_opts *opts)
{
	int err;

	if (!opts->to)
		return xp_fail(EINVAL, "destination: `to` is missing");
	err = read_address(opts->to, "to", &w->to, &w->dport, &w->scope);
	if (err)
		return err;
	if (!w->dport || ip_is_zero(&w->to))
		return xp_fail(EINVAL, "destination: address or port is zero");
	if (opts->ifname && strlen(opts->ifname) >= sizeof(w->ifname))
		return xp_fail(EINVAL,
			       "interface %s: longer than %zu characters; `ip link` has "
			       "its short name",
			       opts->ifname, sizeof(w->ifname) - 1);
	if (opts->ifname)
		strcpy(w->ifname, opts->ifname);
	if (ip_wants_scope(&w->to) && !w->scope && !w->ifname[0])
		return xp_fail(EINVAL, "destination: a link-local address: by which interface? Set "
				       "sin6_scope_id, or ifname");
	if (w->scope && w->ifname[0])
		w->scope = 0;
	return 0;
}

static int read_from(struct xp_way *w, const struct xdplace_destination_opts *opts)
{
	uint32_t scope;
	int err;

	if (!opts->from)
		return 0;
	err = read_address(opts->from, "from", &w->from, &w->sport, &scope);
	if (err)
		return err;
	if (w->from.family != w->to.family)
		return xp_fail(EINVAL, "destination: `to` and `from` are of different families");
	if (ip_is_zero(&w->from))
		w->from.family = 0;
	return 0;
}

static int read_opts(struct xp_way *w, const struct xdplace_destination_opts *opts)
{
	int err;

	if (!opts || opts->size != sizeof(*opts))
		return xp_fail(EINVAL, "destination options of %zu bytes: must be %zu",
			       opts ? opts->size : 0, sizeof(*opts));
	if (opts->weight > 255)
		return xp_fail(EINVAL, "destination: weight %u: 1 .. 255", opts->weight);
	if (opts->rtp_type > 127)
		return xp_fail(EINVAL, "destination: RTP payload type %u: 0 .. 127",
			       opts->rtp_type);
	err = read_to(w, opts);
	if (!err)
		err = read_from(w, opts);
	if (err)
		return err;
	w->ttl = opts->ttl ? opts->ttl : xp_ip_multicast(&w->to) ? GROUP_TTL : TTL;
	w->tos = opts->tos;
	w->payload = opts->payload;
	w->rtp = opts->rtp;
	w->rtp_type = opts->rtp_type;
	w->rtp_ssrc = opts->rtp_ssrc;
	return 0;
}

/* ---- ports ---- */

/* Nothing that is sent to the port is kept: nobody would read it. */
static void discard_all(int fd)
{
	struct sock_filter none = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog program = {.len = 1, .filter = &none};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/*
 * Errors are kept: one that says that packets are too long for some link tells the kernel of a
 * path's MTU, and follow.c that it did (RFC 1191, RFC 8201).
 */
static void hear_errors(int fd, int family)
{
	int on = 1;

	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

static int keep_port(int fd, int family, uint16_t *port)
{
	struct sockaddr_in6 address = {.sin6_family = family}; /* or IPv4, which is shorter */
	socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(address);
	int on = 1;

	discard_all(fd);
	hear_errors(fd, family);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (void *)&address, size) || getsockname(fd, (void *)&address, &size))
		return xp_fail(errno, "choose a port to send from: %s", strerror(errno));
	*port = address.sin6_port; /* where struct sockaddr_in has it, too */
	return 0;
}

/* All destinations of a family are sent to from one port, as from one socket. */
static int choose_port(struct xp_tx_ways *ways, struct xp_way *w)
{
	int i = w->to.family == AF_INET6, err;

	if (w->sport)
		return 0;
	if (!ways->kept[i]) {
		err = keep_port(ways->keeper[i], w->to.family, &ways->kept[i]);
		if (err)
			return err;
	}
	w->sport = ways->kept[i];
	return 0;
}

/* ---- numbers ---- */

static struct xp_way *take_number(struct xp_tx_ways *ways)
{
	struct xp_way *w;

	if (ways->free != XP_TX_NONE) {
		w = &ways->way[ways->free];
		ways->free = w->next_free;
	} else if (ways->begun < ways->tx->opts.destinations) {
		w = &ways->way[ways->begun++];
	} else {
		return NULL;
	}
	memset(w, 0, sizeof(*w));
	w->used = true;
	return w;
}

static void give_number(struct xp_tx_ways *ways, struct xp_way *w)
{
	xp_hop_use(ways, w, NULL);
	xp_way_unmark(ways, w);
	xp_way_ails(ways, w, false);
	w->used = w->open = false;
	w->next_free = ways->free;
	ways->free = w - ways->way;
}

bool xp_destination_valid(const struct xdplace_tx *tx, uint32_t destination)
{
	return destination < tx->opts.destinations && tx->ways->way[destination].open;
}

/* ---- open ---- */

static void deadline_in(uint32_t ms, struct timespec *deadline)
{
	clock_gettime(CLOCK_MONOTONIC, deadline);
	deadline->tv_sec += ms / 1000;
	deadline->tv_nsec += ms % 1000 * 1000000;
	if (deadline->tv_nsec >= 1000000000) {
		deadline->tv_sec++;
		deadline->tv_nsec -= 1000000000;
	}
}

/* The neighbour is asked for; one that did not answer before gets its chance as well. */
static void wait_for_hop(struct xp_tx_ways *ways, struct xp_way *w, uint32_t timeout_ms)
{
	struct xp_hop *hop = w->hop;
	uint32_t failures = hop->failures;
	struct timespec deadline;
	int err = 0;

	deadline_in(timeout_ms ? timeout_ms : TIMEOUT_MS, &deadline);
	if (hop->failed)
		xp_hop_poke(ways, hop);
	/* The thread may find another way meanwhile. */
	while (!err && w->hop == hop && !hop->known && hop->failures == failures)
		err = pthread_cond_timedwait(&ways->settled, &ways->lock, &deadline);
}

static int find_way(struct xp_tx_ways *ways, struct xp_way *w, uint32_t timeout_ms)
{
	struct xp_hop *hop;
	int err;

	err = xp_way_look(ways, w, XP_LOOK_ROUTE);
	hop = w->hop;
	if (!hop || (err != -EAGAIN && !(err == -EHOSTUNREACH && hop->failed)))
		return err;
	wait_for_hop(ways, w, timeout_ms);
	err = xp_way_look(ways, w, XP_LOOK_FACE);
	return err == -EAGAIN ? xp_hop_fail(ways, w->hop) : err;
}

/* The kernel's counters of the number's last owner are none of the new one's. */
static void begin_destination(struct xp_tx_destination *d,
			      const struct xdplace_destination_opts *opts)
{
	uint16_t id;

	d->weight = opts->weight ? opts->weight : 1;
	d->sequence = opts->rtp_sequence;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) == sizeof(id))
		d->id = id;
	d->packets = d->bytes = d->refused = d->refused_bytes = 0;
}

static int open_locked(struct xp_tx_ways *ways, struct xp_way *w,
		       const struct xdplace_destination_opts *opts)
{
	int err;

	err = xp_follow_start(ways);
	if (!err)
		err = choose_port(ways, w);
	if (!err)
		err = find_way(ways, w, opts->timeout_ms);
	if (err)
		return err;
	begin_destination(&ways->tx->destinations[w - ways->way], opts);
	w->open = true;
	xp_way_show(ways, w, 0);
	if (w->error)
		return xp_fail(w->error,
			       "destination: headers leave no room in packets of %u bytes",
			       w->plan.mtu);
	w->changes = 0;
	return w - ways->way;
}

int xdplace_destination_open(struct xdplace_tx *tx, const struct xdplace_destination_opts *opts)
{
	struct xp_tx_ways *ways = tx->ways;
	struct xp_way asked = {0}, *w;
	int result;

	result = read_opts(&asked, opts);
	if (result)
		return result;
	pthread_mutex_lock(&ways->lock);
	w = take_number(ways);
	if (w) {
		asked.used = true;
		*w = asked;
		result = open_locked(ways, w, opts);
		if (result < 0)
			give_number(ways, w);
	} else {
		result = xp_fail(ENOSPC, "%u destinations are open: xdplace_tx_opts.destinations",
				 tx->opts.destinations);
	}
	pthread_mutex_unlock(&ways->lock);
	xp_follow_wake(ways);
	return result;
}

/* ---- close, get ---- */

static int no_such(uint32_t destination)
{
	return xp_fail(ENOENT, "no destination %u", destination);
}

int xdplace_destination_close(struct xdplace_tx *tx, uint32_t destination)
{
	struct xp_tx_ways *ways = tx->ways;
	struct xp_way *w;

	if (!xp_destination_valid(tx, destination))
		return no_such(destination);
	w = &ways->way[destination];
	pthread_mutex_lock(&ways->lock);
	w->open = false;
	xp_way_show(ways, w, -ENOENT);
	give_number(ways, w);
	pthread_mutex_unlock(&ways->lock);
	return 0;
}

static void write_address(const struct xp_ip *ip, uint16_t port, uint32_t scope,
			  struct sockaddr_storage *to)
{
	struct sockaddr_in6 *in6 = (void *)to;
	struct sockaddr_in *in = (void *)to;

	memset(to, 0, sizeof(*to));
	to->ss_family = ip->family;
	if (ip->family == AF_INET) {
		memcpy(&in->sin_addr, ip->byte, 4);
		in->sin_port = port;
		return;
	}
	memcpy(&in6->sin6_addr, ip->byte, 16);
	in6->sin6_port = port;
	if (ip_wants_scope(ip))
		in6->sin6_scope_id = scope;
}

static void get_locked(struct xp_tx_ways *ways, const struct xp_way *w,
		       struct xdplace_destination *info)
{
	const struct xp_tx_destination *d = &ways->tx->destinations[w - ways->way];
	const struct xp_face_plan *plan = &w->shown;

	memset(info, 0, sizeof(*info));
	info->error = w->error;
	info->ifindex = plan->ifindex;
	memcpy(info->ifname, w->by, sizeof(info->ifname));
	info->mtu = plan->mtu;
	info->payload = xp_tx_face(d)->room;
	info->vlan = plan->tags ? plan->tag[plan->tags - 1].vlan : 0;
	memcpy(info->source_mac, plan->source_mac, sizeof(info->source_mac));
	memcpy(info->mac, plan->mac, sizeof(info->mac));
	write_address(&w->to, w->dport, w->route.ifindex, &info->to);
	write_address(&plan->from, w->sport, w->route.ifindex, &info->from);
	info->changes = w->changes;
	info->packets = d->packets - d->refused;
	info->bytes = d->bytes - d->refused_bytes;
	info->refused = d->refused;
	info->refused_bytes = d->refused_bytes;
	info->rtp_sequence = d->sequence;
}

int xdplace_destination_get(struct xdplace_tx *tx, uint32_t destination,
			    struct xdplace_destination *info)
{
	if (!xp_destination_valid(tx, destination))
		return no_such(destination);
	pthread_mutex_lock(&tx->ways->lock);
	get_locked(tx->ways, &tx->ways->way[destination], info);
	pthread_mutex_unlock(&tx->ways->lock);
	return 0;
}

/* ---- all of a transmitter's ---- */

static int make_ways(struct xp_tx_ways *ways, uint32_t destinations)
{
	uint32_t buckets = 64;

	while (buckets < destinations)
		buckets *= 2;
	ways->hop_mask = buckets - 1;
	ways->hop = calloc(buckets, sizeof(*ways->hop));
	ways->way = calloc(destinations, sizeof(*ways->way));
	if (!ways->hop || !ways->way)
		return -ENOMEM;
	return 0;
}

static void make_lock(struct xp_tx_ways *ways)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&ways->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ways->settled, &attr);
	pthread_condattr_destroy(&attr);
}

/* A kernel without IPv6 has destinations of IPv4. */
static int open_sockets(struct xp_tx_ways *ways)
{
	int err;

	ways->keeper[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ways->keeper[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ways->keeper[0] < 0 || (ways->keeper[1] < 0 && errno != EAFNOSUPPORT))
		return -errno;
	err = xp_ask_open(&ways->ask);
	return err ? err : xp_follow_open(ways);
}

int xp_ways_open(struct xdplace_tx *tx)
{
	struct xp_tx_ways *ways = calloc(1, sizeof(*ways));
	int err;

	if (!ways)
		return xp_fail(ENOMEM, "no memory for destinations");
	tx->ways = ways;
	ways->tx = tx;
	ways->free = XP_TX_NONE;
	ways->keeper[0] = ways->keeper[1] = ways->events = ways->waker = -1;
	TAILQ_INIT(&ways->dirty);
	make_lock(ways);
	err = make_ways(ways, tx->opts.destinations);
	if (!err)
		err = open_sockets(ways);
	if (!err)
		return 0;
	xp_ways_close(tx);
	return xp_fail(-err, "prepare for destinations: %s", strerror(-err));
}

static void free_ways(struct xp_tx_ways *ways)
{
	struct xp_device *device;
	uint32_t i;

	for (i = 0; i < ways->begun; i++)
		xp_hop_use(ways, &ways->way[i], NULL);
	for (i = 0; i < XP_WAYS_DEVICES; i++)
		while ((device = LIST_FIRST(&ways->device[i]))) {
			LIST_REMOVE(device, of_bucket);
			free(device);
		}
	free(ways->hop);
	free(ways->way);
}

void xp_ways_close(struct xdplace_tx *tx)
{
	struct xp_tx_ways *ways = tx->ways;
	int i;

	if (!ways)
		return;
	xp_follow_close(ways);
	xp_ask_close(&ways->ask);
	for (i = 0; i < 2; i++)
		if (ways->keeper[i] >= 0)
			close(ways->keeper[i]);
	free_ways(ways);
	pthread_cond_destroy(&ways->settled);
	pthread_mutex_destroy(&ways->lock);
	free(ways);
	tx->ways = NULL;
}
