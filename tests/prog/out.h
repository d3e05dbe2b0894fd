/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * out.h - packets that this host sends, for the egress program (R19): a tap device in a network
 * namespace of the test's own, a packet socket that sends through it as the kernel's stack would,
 * offloads included.
 */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <linux/virtio_net.h>

#include <xdplace/xdplace.h>

/* Enter the namespace and make the device; out_close() returns. */
void out_open(void);
void out_close(void);
/* Attach a context that was made with `egress`. */
void out_attach(struct xdplace *ctx);
/* Send a frame. `offload`: what the NIC is left to do, or NULL. 0 or -errno. */
int out_send(const void *frame, size_t len, const struct virtio_net_hdr *offload);
/* A frame that has gone out, in order: its length, 0: none. */
size_t out_receive(void *frame, size_t size);

#endif
