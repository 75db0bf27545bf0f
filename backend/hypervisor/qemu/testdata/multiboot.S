# A kernel of a few bytes for tests of the direct boot: it prints READY and, if it was given an initrd, the initrd's first bytes.
# Built by: as --32 -o k.o multiboot.S && ld -m elf_i386 -Ttext 0x100000 -e 0x100000 --oformat binary -o multiboot.bin k.o
.intel_syntax noprefix
.code32
_start: jmp     begin
        .align 4
header: .long   0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
        .long   header, _start, 0, 0, begin
begin:  mov     esp, 0x90000
        mov     esi, offset banner
        call    print
        cmp     dword ptr [ebx + 20], 0         # number of modules
        je      stop
        mov     esi, [ebx + 24]
        mov     esi, [esi]
        call    print
stop:   hlt
        jmp     stop
print:  mov     dx, 0x3fd
1:      in      al, dx
        test    al, 0x20
        jz      1b
        lodsb
        test    al, al
        jz      2f
        mov     dx, 0x3f8
        out     dx, al
        jmp     print
2:      ret
banner: .asciz  "READY "
