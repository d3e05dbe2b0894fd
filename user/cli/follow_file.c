/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_file.c - in: pieces of a stream. Out: the same bytes at the end of its file.
 *
 * A file is made with the first byte of its flow; no two flows share one. What an earlier run left
 * is replaced, unless the context goes on from run to run: there nothing is overwritten, and a
 * stream that an earlier consumer began is continued in its file. There may be more flows than
 * descriptors: the file that was not written to for longest is closed, and opened again when its
 * flow goes on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "follow.h"

void follow_fail(struct follow *follow, const char *name, const char *what, int err)
{
	pthread_mutex_lock(&follow->lock);
	if (!atomic_load(&follow->failed)) {
		snprintf(follow->failure, sizeof(follow->failure), "%s%s%s%s%s: %s", what,
			 name ? " " : "", name ? follow->path : "", name ? "/" : "",
			 name ? name : "", strerror(err));
		atomic_store(&follow->failed, true);
	}
	pthread_mutex_unlock(&follow->lock);
}

/* ---- names ---- */

static void vnet_suffix(const union xp_key *key, bool v6, char *text, size_t size)
{
	uint32_t id = v6 ? key->v6.vnet : key->v4.vnet;

	text[0] = 0;
	switch (v6 ? key->v6.vnet_kind : key->v4.vnet_kind) {
	case XP_VNET_NONE:
		break;
	case XP_VNET_VLAN:
		snprintf(text, size, "@vlan%u", id);
		break;
	case XP_VNET_QINQ:
		snprintf(text, size, "@qinq%u.%u", id >> 12, id & 0xfff);
		break;
	case XP_VNET_VXLAN:
		snprintf(text, size, "@vxlan%u", id);
		break;
	case XP_VNET_GENEVE:
		snprintf(text, size, "@geneve%u", id);
		break;
	case XP_VNET_GRE:
		snprintf(text, size, "@gre%u", id);
		break;
	default:
		snprintf(text, size, "@ipip");
		break;
	}
}

static void base_name(const struct follow_stream *stream, char *text, size_t size)
{
	const union xp_key *key = &stream->key;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], vnet[32];
	int family = stream->v6 ? AF_INET6 : AF_INET;
	const void *from = stream->v6 ? (const void *)key->v6.src : &key->v4.src;
	const void *to = stream->v6 ? (const void *)key->v6.dst : &key->v4.dst;

	if (!stream->known) {
		snprintf(text, size, "flow_%08x", stream->handle);
		return;
	}
	vnet_suffix(key, stream->v6, vnet, sizeof(vnet));
	snprintf(text, size, "%s_%s_%u-%s_%u%s",
		 stream->rtp						       ? "rtp"
		 : (stream->v6 ? key->v6.proto : key->v4.proto) == IPPROTO_TCP ? "tcp"
									       : "udp",
		 inet_ntop(family, from, src, sizeof(src)),
		 ntohs(stream->v6 ? key->v6.sport : key->v4.sport),
		 inet_ntop(family, to, dst, sizeof(dst)),
		 ntohs(stream->v6 ? key->v6.dport : key->v4.dport), vnet);
}

static void number_name(const char *base, uint32_t number, char name[FOLLOW_NAME])
{
	if (number > 1)
		snprintf(name, FOLLOW_NAME, "%s.%u", base, number);
	else
		snprintf(name, FOLLOW_NAME, "%s", base);
}

/* The highest number of this name that an earlier run has left, 0: none. */
static uint32_t numbers_left(const struct follow *follow, const char *base)
{
	char name[FOLLOW_NAME];
	uint32_t number = 0;

	do {
		number_name(base, number + 1, name);
	} while (!faccessat(follow->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) && ++number);
	return number;
}

/* What is known of this name; of one that is new its count is 0. NULL: no memory. */
static struct follow_used *find_used(struct follow *follow, const char *base)
{
	struct follow_used **bucket, *used;
	size_t size = strlen(base) + 1;
	uint32_t hash = 2166136261u; /* FNV-1a */
	const char *p;

	for (p = base; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	bucket = &follow->names[hash % FOLLOW_BUCKETS];
	for (used = *bucket; used; used = used->next) {
		if (!strcmp(used->name, base))
			return used;
	}
	used = malloc(sizeof(*used) + size);
	if (!used)
		return NULL;
	memcpy(used->name, base, size);
	used->count = 0;
	used->next = *bucket;
	*bucket = used;
	return used;
}

/*
 * The file of an earlier consumer that this stream goes on in: the last one of that name, if it
 * has all bytes up to here. Where a gap was left out, offset and place in the file differ, and
 * nobody knows by how much.
 */
static bool goes_on(const struct follow *follow, const struct follow_stream *stream,
		    const char *base, uint32_t left)
{
	char name[FOLLOW_NAME];
	struct stat file;

	if (!left || !stream->from || !stream->gapless || stream->rtp)
		return false;
	number_name(base, left, name);
	if (fstatat(follow->dir, name, &file, AT_SYMLINK_NOFOLLOW) || !S_ISREG(file.st_mode))
		return false;
	return (uint64_t)file.st_size >= stream->from;
}

static int give_name(struct follow *follow, struct follow_stream *stream)
{
	char base[FOLLOW_NAME - 16], name[FOLLOW_NAME];
	struct follow_used *used;

	base_name(stream, base, sizeof(base));
	pthread_mutex_lock(&follow->lock);
	used = find_used(follow, base);
	if (used && !used->count && follow->keep) {
		used->count = numbers_left(follow, base);
		stream->continued = goes_on(follow, stream, base, used->count);
	}
	if (used && !stream->continued)
		used->count++;
	number_name(base, used ? used->count : 0, name);
	pthread_mutex_unlock(&follow->lock);
	stream->name = used ? strdup(name) : NULL;
	return stream->name ? 0 : -ENOMEM;
}

void follow_free_names(struct follow *follow)
{
	struct follow_used *used;
	uint32_t i;

	for (i = 0; i < FOLLOW_BUCKETS; i++) {
		while ((used = follow->names[i])) {
			follow->names[i] = used->next;
			free(used);
		}
	}
}

/* ---- descriptors ---- */

static void close_file(struct follow_worker *worker, struct follow_stream *stream)
{
	int err;

	TAILQ_REMOVE(&worker->open, stream, open);
	worker->open_count--;
	/* Some file systems tell only now that they had no room. */
	err = close(stream->fd) ? errno : 0;
	stream->fd = -1;
	if (err && err != EINTR)
		follow_fail(worker->follow, stream->name, "close", err);
}

void follow_close(struct follow_worker *worker, struct follow_stream *stream)
{
	if (stream->fd >= 0)
		close_file(worker, stream);
}

static int open_file(struct follow_worker *worker, const char *name, int flags)
{
	int fd;

	do {
		fd = openat(worker->follow->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags,
			    0644);
		if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
			return fd >= 0 ? fd : -errno;
		/* Descriptors went elsewhere: make do with fewer. */
		if (!worker->open_count)
			return -errno;
		worker->open_limit = worker->open_count;
		close_file(worker, TAILQ_FIRST(&worker->open));
	} while (1);
}

static int need_file(struct follow_worker *worker, struct follow_stream *stream)
{
	bool made = stream->name;
	int flags = O_APPEND;
	int fd, err;

	if (stream->fd >= 0) {
		TAILQ_REMOVE(&worker->open, stream, open);
		TAILQ_INSERT_TAIL(&worker->open, stream, open);
		return 0;
	}
	if (!made) {
		err = give_name(worker->follow, stream);
		if (err)
			return err;
	}
	while (worker->open_count && worker->open_count >= worker->open_limit)
		close_file(worker, TAILQ_FIRST(&worker->open));
	if (!made && !stream->continued)
		flags = O_CREAT | O_TRUNC;
	fd = open_file(worker, stream->name, flags);
	if (fd < 0)
		return fd;
	stream->fd = fd;
	TAILQ_INSERT_TAIL(&worker->open, stream, open);
	worker->open_count++;
	if (made)
		return 0;
	atomic_fetch_add_explicit(&worker->files, 1, memory_order_relaxed);
	/* A consumer that was killed may have written bytes that it did not release. */
	if (stream->continued && ftruncate(fd, (off_t)stream->from))
		return -errno;
	return 0;
}

/* Step over `done` bytes that a short write has written. */
static int skip(struct iovec **iov, int count, size_t done)
{
	while (count && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		count--;
	}
	if (count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
	return count;
}

int follow_write(struct follow_worker *worker, struct follow_stream *stream, struct iovec *iov,
		 int count)
{
	ssize_t done;
	int err;

	err = need_file(worker, stream);
	if (err) {
		follow_fail(worker->follow, stream->name, "open", -err);
		return -1;
	}
	while (count) {
		done = writev(stream->fd, iov, count < IOV_MAX ? count : IOV_MAX);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			follow_fail(worker->follow, stream->name, "write to", errno);
			return -1;
		}
		stream->bytes += (uint64_t)done;
		count = skip(&iov, count, (size_t)done);
	}
	return 0;
}
