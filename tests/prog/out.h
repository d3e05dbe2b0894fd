/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * out.h - packets that this host sends, for the egress program (R19): a tap device in a network
 * namespace of the test's own, a packet socket that sends through it as the kernel's stack would,
 * offloads included.
 */
#ifndef OUT_H
#define OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/virtio_net.h>

#include <xdplace/xdplace.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Enter the namespace and make the device; out_close() returns. 0 or -errno. */
int out_open(void);
int out_close(void);
uint32_t out_device(void); /* its number */
/* Attach a context that was made with `egress`. */
int out_attach(struct xdplace *ctx);
/* What goes out from now on arrives on this lane. */
int out_lane(const struct xdplace *ctx, uint32_t lane);
/* Send a frame. `offload`: what the NIC is left to do, or NULL. 0 or -errno. */
int out_send(const void *frame, size_t len, const struct virtio_net_hdr *offload);
/*
 * Show a frame of less than a page to the egress program of a context, with what only other
 * programs and devices can give it. `tag`: beside the packet, TCI + 0x10000, 0: none. `came_in`:
 * through the device. What the program returns, or -errno.
 */
#define OUT_TAG(id) (0x10000u | (id))
int out_run(const struct xdplace *ctx, const void *frame, size_t len, uint32_t tag, bool came_in);
/* A frame that has gone out, in order: its length, 0: none. */
size_t out_receive(void *frame, size_t size);

#endif
