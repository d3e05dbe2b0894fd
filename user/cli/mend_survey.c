/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mend_survey.c - in: all packets of a capture, with the word whether their checksums hold. Out:
 * which of those that do not are nevertheless what the sender sent.
 *
 * A host that captures its own packets sees them before its NIC has filled the checksum in. Such
 * data nobody sends again. Data that were damaged on the way are sent again, and then their
 * checksum holds; so it is with data that somebody slipped in with a checksum that makes the
 * receiver throw them away. Therefore, in a direction of a connection
 *
 *   - that has good data: data with a wrong checksum are trusted as far as they are missing from
 *     the good ones: anywhere if the data of its sender are mostly wrong, else only before,
 *     between or right behind those;
 *   - that has none, but other good packets (or the other direction has some): likewise, from the
 *     beginning on. A NIC that joins segments leaves a wrong checksum just on what it joined;
 *   - without any good packet, either way: all is trusted if the data of its sender are mostly
 *     wrong. A damaged port or address looks like such a connection: there most packets of the
 *     sender, or, if there is but one of it, of the capture, are good.
 *
 * Streams longer than 4 GiB wrap: offsets are 64 bit, counted from the connection's first packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xdplace/xdplace.h>

#include "mend_overlap.h"
#include "mend_survey.h"

#define BUCKETS 65536u
#define NEAR (1 << 26) /* distance of sequence numbers within one connection, or nearly so */
#define MAX_KNOWN 16   /* places where good data are, within one damaged segment */
#define MOSTLY 10      /* so many good packets for each bad one: a network that damages some */

/* All packets with data from one address. */
struct sender {
	struct sender *next; /* in its bucket */
	uint8_t address[16];
	uint64_t good;
	uint64_t bad;
};

/* Bytes that were in segments with a good checksum: [start, past). */
struct range {
	int64_t start;
	int64_t past;
};

/* One direction of one connection. */
struct half {
	struct half *next;  /* in its bucket */
	struct half *again; /* the next connection with this key */
	struct half *now;   /* of the first one: where the reader is */
	struct sender *sender;
	union xp_key key;
	uint32_t first; /* sequence number of offset 0 */
	int64_t last;	/* offset of the last segment */
	int64_t reach;	/* end of what is good or was trusted */
	uint64_t good;
	uint64_t bad;
	uint64_t data;	      /* packets with data */
	uint64_t seen;	      /* of those, so far, when they come again */
	bool reset;	      /* an RST was seen */
	bool finished;	      /* a FIN was seen */
	int64_t fin;	      /* offset of the first one in the stream */
	struct range *ranges; /* in order, disjoint, not touching */
	size_t count;
	struct overlap_early *early; /* NULL: not TCP */
};

struct survey {
	struct half *buckets[BUCKETS];
	struct sender *senders[BUCKETS];
	uint64_t good;
	uint64_t bad;
	uint64_t connections; /* beyond the first of each key */
	uint64_t survived;    /* packets with data behind an RST of the same direction */
	uint64_t unended;     /* directions with data where a FIN stands */
	struct overlap *overlap;
	/* Parts of the packet that was asked for last which good ones have brought. */
	struct overlap_cut known[MAX_KNOWN];
	size_t known_count;
};

struct survey *survey_new(void)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	if (!survey)
		return NULL;
	survey->overlap = overlap_new();
	if (survey->overlap)
		return survey;
	free(survey);
	return NULL;
}

static void free_halves(struct survey *survey, struct half *half)
{
	struct half *again;

	for (; half; half = again) {
		again = half->again;
		overlap_end(survey->overlap, half->early);
		free(half->ranges);
		free(half);
	}
}

void survey_free(struct survey *survey)
{
	struct half *half, *next;
	struct sender *sender;
	uint32_t i;

	if (!survey)
		return;
	for (i = 0; i < BUCKETS; i++) {
		while ((sender = survey->senders[i])) {
			survey->senders[i] = sender->next;
			free(sender);
		}
		for (half = survey->buckets[i]; half; half = next) {
			next = half->next;
			free_halves(survey, half);
		}
	}
	overlap_free(survey->overlap);
	free(survey);
}

/* Made if it is new; NULL: no memory. */
static struct sender *find_sender(struct survey *survey, const struct xp_packet *packet)
{
	size_t size = packet->v6 ? 16 : 4;
	struct sender **bucket, *sender;
	uint64_t word[2] = {0, 0};

	memcpy(word, packet->key.v6.src, size); /* where v4.src is, too */
	word[1] ^= word[0] * 0x9e3779b97f4a7c15ull;
	bucket = &survey->senders[word[1] * 0x9e3779b97f4a7c15ull >> 48];
	word[1] = 0;
	memcpy(word, packet->key.v6.src, size);
	for (sender = *bucket; sender; sender = sender->next) {
		if (!memcmp(sender->address, word, sizeof(word)))
			return sender;
	}
	sender = calloc(1, sizeof(*sender));
	if (!sender)
		return NULL;
	memcpy(sender->address, word, sizeof(word));
	sender->next = *bucket;
	*bucket = sender;
	return sender;
}

static struct half *new_half(struct survey *survey, const struct xp_packet *packet)
{
	struct sender *sender = find_sender(survey, packet);
	struct half *half = sender ? calloc(1, sizeof(*half)) : NULL;

	if (!half)
		return NULL;
	if (packet->proto == IPPROTO_TCP &&
	    overlap_begin(&half->early, !!(packet->tcp_flags & XP_TCP_SYN))) {
		free(half);
		return NULL;
	}
	half->sender = sender;
	half->key = packet->key;
	half->now = half;
	half->first = packet->seq;
	return half;
}

/* All connections of a key: where the first of them is linked, or would be. */
static struct half **find_key(struct survey *survey, const union xp_key *key)
{
	struct half **link;
	uint64_t mix = 0;
	int i;

	for (i = 0; i < (int)(sizeof(*key) / 8); i++)
		mix = (mix ^ key->word[i]) * 0x9e3779b97f4a7c15ull;
	for (link = &survey->buckets[mix >> 48]; *link; link = &(*link)->next) {
		if (!memcmp(&(*link)->key, key, sizeof(*key)))
			break;
	}
	return link;
}

/* Of the packet's key, made if there are none; NULL: no memory. */
static struct half *find(struct survey *survey, const struct xp_packet *packet)
{
	struct half **link = find_key(survey, &packet->key);

	if (!*link)
		*link = new_half(survey, packet);
	return *link;
}

static bool is_near(const struct half *half, const struct xp_packet *packet)
{
	int32_t ahead = (int32_t)(packet->seq - half->first - (uint32_t)half->last);

	return ahead < NEAR && ahead > -NEAR;
}

/*
 * The connection of this key that the packet is of: of those that were seen, the last but one that
 * is near it, else the last; NULL: of one that begins with it.
 */
static struct half *find_now(struct half *all, const struct xp_packet *packet)
{
	struct half *half, *found = NULL;

	if (packet->proto != IPPROTO_TCP)
		return all;
	for (half = all; half; half = half == all->now ? NULL : half->again) {
		if (packet->tcp_flags & XP_TCP_SYN ? packet->seq == half->first
						   : is_near(half, packet))
			found = half;
	}
	if (found || packet->tcp_flags & XP_TCP_SYN)
		return found;
	return all->now;
}

/* Where the data of a packet begin. */
static int64_t offset_in(const struct half *half, const struct xp_packet *packet)
{
	uint32_t seq = packet->seq + !!(packet->tcp_flags & XP_TCP_SYN);

	return half->last + (int32_t)(seq - half->first - (uint32_t)half->last);
}

/* Of a packet that has some. */
static int64_t offset_of(struct half *half, const struct xp_packet *packet)
{
	return half->last = offset_in(half, packet);
}

/* The first range that ends at `offset` or behind it. Most often it is the last one. */
static size_t range_at(const struct half *half, int64_t offset)
{
	size_t low = 0, high = half->count, middle;

	if (high && half->ranges[high - 1].start <= offset)
		low = high - 1;
	while (low < high) {
		middle = low + (high - low) / 2;
		if (half->ranges[middle].past < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int insert_range(struct half *half, size_t at, struct range range)
{
	struct range *ranges = half->ranges;

	if (!(half->count & (half->count - 1))) {
		ranges = realloc(ranges, (half->count ? 2 * half->count : 1) * sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		half->ranges = ranges;
	}
	memmove(ranges + at + 1, ranges + at, (half->count - at) * sizeof(*ranges));
	ranges[at] = range;
	half->count++;
	return 0;
}

static int add_range(struct half *half, int64_t start, int64_t past)
{
	size_t at = range_at(half, start), end = at;

	while (end < half->count && half->ranges[end].start <= past)
		end++;
	if (end == at)
		return insert_range(half, at, (struct range){start, past});
	if (half->ranges[at].start > start)
		half->ranges[at].start = start;
	if (half->ranges[end - 1].past > past)
		past = half->ranges[end - 1].past;
	half->ranges[at].past = past;
	memmove(half->ranges + at + 1, half->ranges + end,
		(half->count - end) * sizeof(*half->ranges));
	half->count -= end - at - 1;
	return 0;
}

static bool has_any(const struct half *half, int64_t start, int64_t past)
{
	size_t at = range_at(half, start + 1);

	return at < half->count && half->ranges[at].start < past;
}

/* What the other direction has waiting behind a hole, this one may have. */
static int acknowledge(struct survey *survey, const struct xp_packet *packet)
{
	union xp_key key;
	struct half *half;
	int64_t upto;

	if (!overlap_waits(survey->overlap) || !(packet->tcp_flags & XP_TCP_ACK))
		return 0;
	xdplace_key_reverse(&packet->key, packet->v6, &key);
	half = *find_key(survey, &key);
	if (!half)
		return 0;
	half = half->now;
	upto = half->last + (int32_t)(packet->ack - half->first - (uint32_t)half->last);
	return overlap_acknowledge(survey->overlap, half->early, upto);
}

static void note_fin(struct half *half, const struct xp_packet *packet)
{
	int64_t fin = offset_in(half, packet) + packet->payload;

	if (!half->finished || fin < half->fin)
		half->fin = fin;
	half->finished = true;
}

/*
 * Data at the number that a FIN has, and behind it: the direction did not end there. One byte alone
 * may be a keep-alive's, which repeats the last number.
 */
static bool goes_through(const struct half *half, int64_t fin)
{
	return has_any(half, fin, fin + 1) && has_any(half, fin + 1, fin + 2);
}

static int add_segment(struct survey *survey, struct half *half, const struct xp_packet *packet,
		       const struct survey_seen *seen)
{
	int64_t start = offset_of(half, packet), past = start + packet->payload;
	struct overlap_segment segment = {.packet = seen->number,
					  .start = start,
					  .past = past,
					  .bytes = seen->data,
					  .good = seen->good,
					  .again = !seen->good || has_any(half, start, past)};
	int err = 0;

	if (seen->good || !half->good)
		err = overlap_add(survey->overlap, half->early, &segment);
	return err || !seen->good ? err : add_range(half, start, past);
}

/*
 * Has any connection of this key a good packet? A damaged SYN, or a damaged number, looks like a
 * connection of its own beside it.
 */
static bool has_good(const struct half *half)
{
	for (; half; half = half->again) {
		if (half->good)
			return true;
	}
	return false;
}

/* The packet's connection, made if it begins with it; NULL: no memory. */
static struct half *find_or_begin(struct survey *survey, const struct xp_packet *packet, bool good)
{
	struct half *all = find(survey, packet), *half = all ? find_now(all, packet) : NULL;

	if (!all || half)
		return half;
	if (!good && has_good(all))
		return all->now;
	half = new_half(survey, packet);
	if (!half)
		return NULL;
	all->now->again = half;
	all->now = half;
	survey->connections++;
	return half;
}

int survey_add(struct survey *survey, const struct xp_packet *packet,
	       const struct survey_seen *seen)
{
	struct half *half = find_or_begin(survey, packet, seen->good);
	bool tcp = packet->proto == IPPROTO_TCP;
	int err;

	if (!half)
		return -ENOMEM;
	err = tcp ? acknowledge(survey, packet) : 0;
	if (err)
		return err;
	half->good += seen->good;
	half->bad += !seen->good;
	survey->good += seen->good;
	survey->bad += !seen->good;
	if (tcp && seen->good && packet->tcp_flags & XP_TCP_FIN)
		note_fin(half, packet);
	if (!packet->payload) {
		half->reset |= tcp && packet->tcp_flags & XP_TCP_RST;
		return 0;
	}
	half->data++;
	survey->survived += half->reset;
	half->sender->good += seen->good;
	half->sender->bad += !seen->good;
	return tcp ? add_segment(survey, half, packet, seen) : 0;
}

bool survey_rewind(struct survey *survey)
{
	struct half *half, *one;
	uint32_t i;

	for (i = 0; i < BUCKETS; i++) {
		for (half = survey->buckets[i]; half; half = half->next) {
			half->now = half;
			for (one = half; one; one = one->again) {
				one->last = 0;
				survey->unended += one->finished && goes_through(one, one->fin);
				/* A SYN has a number, too. */
				one->reach = one->count ? one->ranges[one->count - 1].past : 1;
			}
		}
	}
	return overlap_sort(survey->overlap) || survey->bad || survey->survived ||
	       survey->connections || survey->unended;
}

const struct overlap_cut *survey_cuts(struct survey *survey, uint64_t number, size_t *count)
{
	*count = survey->known_count;
	return *count ? survey->known : overlap_cuts(survey->overlap, number, count);
}

static bool mostly_bad(const struct survey *survey, const struct sender *sender)
{
	if (sender->bad < sender->good)
		return false;
	return sender->bad > 1 || survey->good < MOSTLY * survey->bad;
}

/* Which parts of a packet's data good ones have brought. False: too many to tell. */
static bool find_known(struct survey *survey, const struct half *half, int64_t start, int64_t past)
{
	size_t at = range_at(half, start + 1);
	const struct range *range;

	survey->known_count = 0;
	for (; at < half->count && half->ranges[at].start < past; at++) {
		range = &half->ranges[at];
		if (survey->known_count == MAX_KNOWN)
			return false;
		survey->known[survey->known_count++] = (struct overlap_cut){
			.from = range->start > start ? (uint32_t)(range->start - start) : 0,
			.past = (uint32_t)((range->past < past ? range->past : past) - start)};
	}
	return true;
}

/* Are there good data before and behind it? */
static bool lies_between(const struct half *half, int64_t start, int64_t past)
{
	return half->count && start >= half->ranges[0].start &&
	       past <= half->ranges[half->count - 1].past;
}

static bool is_missing(struct survey *survey, struct half *half, const struct xp_packet *packet)
{
	int64_t start = offset_of(half, packet), past = start + packet->payload;

	if (!find_known(survey, half, start, past))
		return false;
	if (survey->known_count && survey->known[0].from == 0 &&
	    survey->known[0].past == packet->payload)
		return false;
	if ((start < 0 || start > half->reach) && !mostly_bad(survey, half->sender))
		return false;
	/* A header that is damaged makes a segment begin or end elsewhere: beside good data, too.
	 */
	if (survey->known_count && !lies_between(half, start, past) &&
	    !mostly_bad(survey, half->sender))
		return false;
	if (half->reach < past)
		half->reach = past;
	return true;
}

/* Nobody answers a port that is a damaged one. */
static bool is_answered(struct survey *survey, const struct xp_packet *packet)
{
	const struct half *half;
	union xp_key key;

	xdplace_key_reverse(&packet->key, packet->v6, &key);
	half = *find_key(survey, &key);
	return half && half->good;
}

/* When it comes again: find_or_begin(). */
static struct half *find_again(struct half *all, const struct xp_packet *packet)
{
	struct half *half = find_now(all, packet);

	if (half)
		return half;
	for (half = all->now->again; half; half = half->again) {
		if (half->first == packet->seq)
			return all->now = half;
	}
	return all->now;
}

bool survey_trusts(struct survey *survey, const struct xp_packet *packet, bool good)
{
	struct half *all = find(survey, packet), *half;

	survey->known_count = 0;
	if (!all)
		return false;
	half = find_again(all, packet);
	half->seen += !!packet->payload;
	if (!half->good && (has_good(all) || !is_answered(survey, packet)))
		return !good && mostly_bad(survey, half->sender);
	if (packet->proto != IPPROTO_TCP)
		return !good && !half->good && mostly_bad(survey, half->sender);
	if (!packet->payload)
		return !good && !half->good;
	if (good) {
		offset_of(half, packet);
		return false;
	}
	return is_missing(survey, half, packet);
}

bool survey_goes_on(struct survey *survey, const struct xp_packet *packet)
{
	struct half *all = find(survey, packet), *half = all ? find_now(all, packet) : NULL;

	return half && half->seen < half->data;
}

bool survey_does_not_end(struct survey *survey, const struct xp_packet *packet)
{
	struct half *all = find(survey, packet), *half = all ? find_now(all, packet) : NULL;

	return half && goes_through(half, offset_in(half, packet) + packet->payload);
}

bool survey_leads_nowhere(struct survey *survey, const struct xp_packet *packet)
{
	struct half *all = find(survey, packet), *half = all ? find_now(all, packet) : NULL, *other;

	for (other = all; half && !half->data && other; other = other->again) {
		if (other->data)
			return true;
	}
	return false;
}
