/* guest_image.S - the guest (guest.S), linked, as bytes: it is always at hand and always the right
 * one. PIE_GUEST_FILE is set by CMake. */
    .section .rodata
    .globl pie_tp_guest_image, pie_tp_guest_image_end
    .hidden pie_tp_guest_image, pie_tp_guest_image_end
    .balign 64
pie_tp_guest_image:
    .incbin PIE_GUEST_FILE
pie_tp_guest_image_end:
    .section .note.GNU-stack, "", @progbits
