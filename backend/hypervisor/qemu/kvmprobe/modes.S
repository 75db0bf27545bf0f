# The guest of the first trial: through real, protected and long mode, a letter to port 0x10 from each. Page tables at 0x3000
# are made by the host. Built by: as --64 -o m.o modes.S && ld -m elf_x86_64 -Ttext 0x1000 -e 0x1000 --oformat binary -o modes.bin m.o
.intel_syntax noprefix
.code16
_start:
 mov al,'R'
 out 0x10,al
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
 mov al,'P'
 out 0x10,al
 mov eax,cr4
 or eax,0x20
 mov cr4,eax
 mov eax,0x3000
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
 mov al,'L'
 out 0x10,al
 hlt
 .align 8
gdt: .quad 0
 .quad 0x00cf9a000000ffff
 .quad 0x00cf92000000ffff
 .quad 0x00af9a000000ffff
gdtr: .word 31
 .long gdt
