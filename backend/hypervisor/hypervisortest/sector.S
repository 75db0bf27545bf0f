# The guest of the suite: one boot sector that talks on the first serial port, obeys ACPI and lets go of hot-plugged devices.
# It starts in a fraction of a second and needs no kernel. Built by:
# as --32 -o s.o sector.S && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o sector.bin s.o
.intel_syntax noprefix
.code16
.globl _start
_start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0x7c00
        mov     drive, dl
        mov     al, 0x34                # timer 0 at 200 Hz: that often the loop below looks around
        out     0x43, al
        mov     al, 0x4e
        out     0x40, al
        mov     al, 0x17
        out     0x40, al
        mov     dx, 0x3fa               # FIFO on and empty
        mov     al, 7
        out     dx, al
        mov     dx, 0x602               # PM1 enable: the power button sets its status bit
        mov     ax, 0x100
        out     dx, ax
        sti
        mov     si, offset banner
1:      lodsb
        test    al, al
        jz      loop
        call    put
        jmp     1b

loop:   hlt
        mov     dx, 0x600               # PM1 status
        in      ax, dx
        test    ah, 1
        jz      eject
        mov     ax, 0x100
        out     dx, ax                  # seen
        cmp     byte ptr deaf, 0
        je      off
eject:  xor     ecx, ecx                # every hot-plug bus of the Q35: eject what the host wants back
1:      mov     dx, 0xcd0
        mov     eax, ecx
        out     dx, eax
        mov     dx, 0xcc4
        in      eax, dx
        test    eax, eax
        jz      2f
        mov     dx, 0xcc8
        out     dx, eax
2:      inc     cx
        cmp     cx, 40
        jb      1b
keys:   mov     dx, 0x3fd
        in      al, dx
        test    al, 1
        jz      loop
        mov     dx, 0x3f8
        in      al, dx
        cmp     al, 0x04
        je      off
        cmp     al, 0x06
        je      flood
        cmp     al, 0x0e
        je      ignore
        cmp     al, 0x10
        je      show
        cmp     al, 0x12
        je      reboot
        cmp     al, 0x16
        je      read
        cmp     al, 0x17
        je      write
        inc     word ptr typed
        call    put
        jmp     keys

ignore: mov     byte ptr deaf, 1
        jmp     keys
off:    mov     dx, 0x604               # PM1 control: sleep state 5
        mov     ax, 0x2000
        out     dx, ax
        jmp     loop
reboot: mov     al, 6
        mov     dx, 0xcf9
        out     dx, al
        jmp     loop
flood:  mov     al, 'x'
        call    put
        mov     dx, 0x3fd
        in      al, dx
        test    al, 1
        jz      flood
        jmp     keys
show:   mov     al, '#'
        mov     bx, typed
        call    hex
        jmp     keys
write:  mov     ax, typed
        mov     [0x8000], ax
        mov     ah, 0x43
        call    disk
        jmp     keys
read:   mov     ah, 0x42
        call    disk
        mov     al, '$'
        mov     bx, [0x8000]
        call    hex
        jmp     keys

disk:   mov     si, offset packet
        mov     dl, drive
        xor     al, al
        int     0x13
        ret
hex:    call    put
        mov     cx, 4
1:      rol     bx, 4
        mov     al, bl
        and     al, 15
        cmp     al, 10
        jb      2f
        add     al, 39
2:      add     al, '0'
        call    put
        dec     cx
        jnz     1b
        mov     al, 13
        call    put
        mov     al, 10
put:    push    ax
        mov     dx, 0x3fd
1:      in      al, dx
        test    al, 0x20
        jz      1b
        pop     ax
        mov     dx, 0x3f8
        out     dx, al
        ret

banner: .asciz  "READY\r\n"
drive:  .byte   0
deaf:   .byte   0
typed:  .word   0
        .align  4
packet: .byte   16, 0, 1, 0             # one sector
        .word   0x8000, 0               # to or from here
        .quad   1                       # the second sector of the disk
        .org    510
        .word   0xaa55
