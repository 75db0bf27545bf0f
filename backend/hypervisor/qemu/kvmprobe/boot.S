# The guest of the second trial: a boot sector that goes on from the firmware into long mode, works there for a moment, and ends
# QEMU through isa-debug-exit with status 33. Built by:
# as --64 -o b.o boot.S && ld -m elf_x86_64 -Ttext 0x7c00 -e 0x7c00 --oformat binary -o boot.bin b.o
.intel_syntax noprefix
.code16
_start:
 cli
 xor ax,ax
 mov ds,ax
 mov es,ax
 mov ss,ax
 mov sp,0x7c00
 mov di,0x1000
 mov cx,0x1800
 rep stosw
 mov word ptr [0x1000],0x2007
 mov word ptr [0x2000],0x3007
 mov word ptr [0x3000],0x0087
 in al,0x92
 or al,2
 out 0x92,al
 lgdtd [gdtr]
 mov eax,cr0
 or al,1
 mov cr0,eax
 .byte 0x66,0xea
 .long prot
 .word 8
.code32
prot:
 mov ax,0x10
 mov ds,ax
 mov ss,ax
 mov eax,cr4
 or eax,0x20
 mov cr4,eax
 mov eax,0x1000
 mov cr3,eax
 mov ecx,0xc0000080
 rdmsr
 or eax,0x100
 wrmsr
 mov eax,cr0
 or eax,0x80000000
 mov cr0,eax
 .byte 0xea
 .long long
 .word 0x18
.code64
long:
 mov ecx,100000
1: pushfq
 popfq
 dec ecx
 jnz 1b
 mov al,16
 mov dx,0xf4
 out dx,al
2: hlt
 jmp 2b
 .align 8
gdt: .quad 0
 .quad 0x00cf9a000000ffff
 .quad 0x00cf92000000ffff
 .quad 0x00af9a000000ffff
gdtr: .word 31
 .long gdt
 .org 510
 .word 0xaa55
