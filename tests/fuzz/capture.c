/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.c - fuzz target: the capture files of `follow -r`, and what is mended of them [R18].
 *
 * Input: the file, read twice as `follow -r` does: surveyed, then followed.
 *
 * Holds: each packet that is given is readable, all of it, not longer than the longest and not
 * longer than it was on the wire; so is each frame that is made of it, and there are not more of
 * these than it has bytes; the second reading gives the same packets; a file that is refused is
 * refused with a message.
 */
#include <linux/if_ether.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "mend.h"

#define LONGEST (262144 + 256)
#define PACKETS 400

static volatile uint8_t sink;

static void touch(const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sink ^= bytes[i];
}

static void mended(struct mend *mend, const struct capture_packet *packet)
{
	const void *frame;
	size_t len, n = 0;

	mend_begin(mend, packet);
	while (mend_next(mend, &frame, &len)) {
		holds(len <= LONGEST, "a frame of %zu bytes", len);
		touch(frame, len);
		holds(++n <= packet->len + 1, "%zu frames of %zu bytes", n, packet->len);
	}
}

/* How many packets it has; with `mend` they are followed, else surveyed. */
static unsigned read_all(struct capture *capture, struct mend *mend, int follow)
{
	struct capture_packet packet;
	unsigned n;
	int more;

	for (n = 0; n < PACKETS; n++) {
		more = capture_next(capture, &packet);
		holds(more >= -1 && more <= 1, "%d", more);
		if (more < 0)
			holds(*capture_fault(capture), "a fault without a name");
		if (more <= 0)
			break;
		holds(packet.len && packet.len <= LONGEST, "%zu bytes", packet.len);
		holds(packet.wire >= packet.len, "%zu bytes of %zu", packet.len, packet.wire);
		touch(packet.frame, packet.len);
		if (follow)
			mended(mend, &packet);
		else
			holds(!mend_survey(mend, &packet), "no memory");
	}
	return n;
}

static void read_twice(struct capture *first, struct capture *second)
{
	struct mend *mend = mend_new();
	unsigned n;

	holds(mend, "no memory");
	n = read_all(first, mend, 0);
	mend_surveyed(mend);
	holds(read_all(second, mend, 1) == n, "other packets than before");
	mend_free(mend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64], error[CAPTURE_ERROR] = "";
	struct capture *first, *second;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	holds(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	first = capture_open(path, error);
	holds(first || *error, "refused without a message");
	second = capture_open(path, error);
	holds(!first == !second, "refused once");
	if (first)
		read_twice(first, second);
	capture_close(first);
	capture_close(second);
	close(fd);
	return 0;
}
