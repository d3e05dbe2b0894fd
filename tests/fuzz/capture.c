/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * capture.c - fuzz target: the capture files of `follow -r` [R18].
 *
 * Input: the file. Holds: each packet that is given is readable, all of it, and not longer than the
 * longest; what is given behind a foreign link header is Ethernet of an IP type, or of the type
 * that the header names; a file that is refused is refused with a message.
 */
#include <linux/if_ether.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "fuzz.h"

#define LONGEST (14 + 262144)
#define PACKETS 1000

static volatile uint8_t sink;

static void read_all(struct capture *capture)
{
	const void *frame;
	size_t len, i;
	unsigned n;
	int more;

	for (n = 0; n < PACKETS; n++) {
		more = capture_next(capture, &frame, &len);
		holds(more >= -1 && more <= 1, "%d", more);
		if (more < 0)
			holds(*capture_fault(capture), "a fault without a name");
		if (more <= 0)
			return;
		holds(len && len <= LONGEST, "%zu bytes", len);
		for (i = 0; i < len; i++)
			sink ^= ((const uint8_t *)frame)[i];
		holds(capture_truncated(capture) <= n + 1000000u, "counts");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64], error[CAPTURE_ERROR] = "";
	struct capture *capture;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	holds(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	capture = capture_open(path, error);
	holds(capture || *error, "refused without a message");
	if (capture)
		read_all(capture);
	capture_close(capture);
	close(fd);
	return 0;
}
