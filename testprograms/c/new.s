	.file	"new.cpp"
	.file	0 "." "new.cpp" md5 0x2866a3b5ccd550795f0ac1e5efd40556
	.text
	.globl	main
	.p2align	4
	.type	main,@function
main:
.Lfunc_begin0:
	.loc	0 67 0
	.cfi_startproc
	pushq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	movl	%edi, %ebx
.Ltmp0:
	.loc	0 68 5 prologue_end
	callq	_ZL6valuesi
.Ltmp1:
	.loc	0 69 5
	movl	%ebx, %edi
	callq	_ZL6arraysi
.Ltmp2:
	.loc	0 70 5
	movl	%ebx, %edi
	callq	_ZL7untypedi
.Ltmp3:
	.loc	0 71 5
	xorl	%edi, %edi
	callq	fflush@PLT
.Ltmp4:
	.loc	0 72 5
	xorl	%edi, %edi
	callq	_exit@PLT
.Ltmp5:
	.loc	0 73 1
	xorl	%eax, %eax
	.loc	0 73 1 epilogue_begin is_stmt 0
	popq	%rbx
.Ltmp6:
	.cfi_def_cfa_offset 8
	retq
.Ltmp7:
.Lfunc_end0:
	.size	main, .Lfunc_end0-main
	.cfi_endproc
	.p2align	4
	.type	_ZL6valuesi,@function
_ZL6valuesi:
.Lfunc_begin1:
	.loc	0 44 0 is_stmt 1
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	pushq	%rax
	.cfi_def_cfa_offset 64
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movl	%edi, %ebp
.Ltmp8:
	.loc	0 45 9 prologue_end
	movl	$56, %edi
.Ltmp9:
	callq	_Znwm@PLT
.Ltmp10:
	.loc	0 45 24
	movl	%ebp, (%rax)
	movabsq	$4617315517961601024, %rcx
	movq	%rcx, 8(%rax)
	.loc	0 45 37 is_stmt 0
	xorps	%xmm0, %xmm0
	movaps	%xmm0, 16(%rax)
	movaps	%xmm0, 32(%rax)
	movq	$0, 48(%rax)
	.loc	0 45 5
	leaq	.L.str(%rip), %rbx
	leaq	.L.str.1(%rip), %r14
	leaq	.L.str.3(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$45, %ecx
	xorl	%eax, %eax
	callq	printf@PLT
.Ltmp11:
	.loc	0 46 8 is_stmt 1
	movl	$80, %edi
	callq	_Znwm@PLT
.Ltmp12:
	.loc	0 24 36
	movq	_ZTVN4shop6EngineE@GOTPCREL(%rip), %r13
	addq	$16, %r13
	movq	%r13, (%rax)
.Ltmp13:
	.loc	0 24 49 is_stmt 0
	movslq	%ebp, %r12
	.loc	0 24 47
	movq	%r12, 8(%rax)
.Ltmp14:
	.loc	0 46 5 is_stmt 1
	leaq	.L.str.4(%rip), %r15
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$46, %ecx
	movq	%r15, %r8
	xorl	%eax, %eax
.Ltmp15:
	callq	printf@PLT
.Ltmp16:
	.loc	0 48 8
	movl	$80, %edi
	callq	_Znwm@PLT
.Ltmp17:
	.loc	0 24 36
	movq	%r13, (%rax)
.Ltmp18:
	.loc	0 24 47 is_stmt 0
	movq	%r12, 8(%rax)
.Ltmp19:
	.loc	0 48 5 is_stmt 1
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$48, %ecx
	movq	%r15, %r8
	xorl	%eax, %eax
.Ltmp20:
	callq	printf@PLT
.Ltmp21:
	.loc	0 49 8
	movl	$80, %edi
	callq	_Znwm@PLT
.Ltmp22:
	.loc	0 24 47
	movq	%r12, 8(%rax)
.Ltmp23:
	.loc	0 30 48 is_stmt 0
	movq	_ZTVN4shop6DieselE@GOTPCREL(%rip), %rcx
	addq	$16, %rcx
	movq	%rcx, (%rax)
.Ltmp24:
	.loc	0 49 5 is_stmt 1
	leaq	.L.str.5(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$49, %ecx
	xorl	%eax, %eax
.Ltmp25:
	callq	printf@PLT
.Ltmp26:
	.loc	0 50 9
	movl	$16, %edi
	callq	_Znwm@PLT
.Ltmp27:
	.loc	0 50 29
	movq	%r12, (%rax)
	movq	$2, 8(%rax)
	.loc	0 50 5 is_stmt 0
	leaq	.L.str.6(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$50, %ecx
	xorl	%eax, %eax
	callq	printf@PLT
.Ltmp28:
	.loc	0 51 8 is_stmt 1
	movl	$8, %edi
	callq	_Znwm@PLT
.Ltmp29:
	.loc	0 51 8
	movq	%r12, (%rax)
	.loc	0 51 5 is_stmt 0
	leaq	.L.str.7(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$51, %ecx
	xorl	%eax, %eax
	.loc	0 51 5 epilogue_begin
	addq	$8, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
.Ltmp30:
	.cfi_def_cfa_offset 8
	jmp	printf@PLT
.Ltmp31:
.Lfunc_end1:
	.size	_ZL6valuesi, .Lfunc_end1-_ZL6valuesi
	.cfi_endproc
	.p2align	4
	.type	_ZL6arraysi,@function
_ZL6arraysi:
.Lfunc_begin2:
	.loc	0 54 0 is_stmt 1
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r12
	.cfi_def_cfa_offset 32
	pushq	%rbx
	.cfi_def_cfa_offset 40
	pushq	%rax
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -40
	.cfi_offset %r12, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movl	%edi, %ebx
.Ltmp32:
	.loc	0 55 8 prologue_end
	movl	$400, %edi
.Ltmp33:
	callq	_Znam@PLT
.Ltmp34:
	.loc	0 55 8
	movq	%rax, %r12
	movl	$400, %edx
	movq	%rax, %rdi
	xorl	%esi, %esi
	callq	memset@PLT
.Ltmp35:
	.loc	0 55 5
	leaq	.L.str(%rip), %r14
	leaq	.L.str.1(%rip), %r15
	leaq	.L.str.8(%rip), %r8
	movq	%r14, %rdi
	movq	%r15, %rsi
	movq	%r12, %rdx
	movl	$55, %ecx
	xorl	%eax, %eax
	callq	printf@PLT
.Ltmp36:
	.loc	0 56 8
	movl	$392, %edi
	callq	_Znam@PLT
.Ltmp37:
	.loc	0 56 8
	movq	%rax, %r12
	movl	$392, %edx
	movq	%rax, %rdi
	xorl	%esi, %esi
	callq	memset@PLT
.Ltmp38:
	.loc	0 56 5
	leaq	.L.str.9(%rip), %r8
	movq	%r14, %rdi
	movq	%r15, %rsi
	movq	%r12, %rdx
	movl	$56, %ecx
	xorl	%eax, %eax
	callq	printf@PLT
.Ltmp39:
	.loc	0 57 26
	movl	%ebx, %eax
	.loc	0 57 8 is_stmt 0
	shlq	$3, %rax
	testl	%ebx, %ebx
	movq	$-1, %rbx
.Ltmp40:
	cmovnsq	%rax, %rbx
	movq	%rbx, %rdi
	callq	_Znam@PLT
.Ltmp41:
	.loc	0 57 8 is_stmt 1
	movq	%rax, %r12
	movq	%rax, %rdi
	xorl	%esi, %esi
	movq	%rbx, %rdx
	callq	memset@PLT
.Ltmp42:
	.loc	0 57 5
	leaq	.L.str.10(%rip), %r8
	movq	%r14, %rdi
	movq	%r15, %rsi
	movq	%r12, %rdx
	movl	$57, %ecx
	xorl	%eax, %eax
	.loc	0 57 5 epilogue_begin is_stmt 0
	addq	$8, %rsp
	.cfi_def_cfa_offset 40
	popq	%rbx
	.cfi_def_cfa_offset 32
	popq	%r12
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
.Ltmp43:
	jmp	printf@PLT
.Ltmp44:
.Lfunc_end2:
	.size	_ZL6arraysi, .Lfunc_end2-_ZL6arraysi
	.cfi_endproc
	.p2align	4
	.type	_ZL7untypedi,@function
_ZL7untypedi:
.Lfunc_begin3:
	.loc	0 60 0 is_stmt 1
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%rbx
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -32
	.cfi_offset %r14, -24
	.cfi_offset %rbp, -16
	movl	%edi, %ebp
.Ltmp45:
	.loc	0 62 32 prologue_end
	movl	$168, %edi
.Ltmp46:
	callq	_Znam@PLT
.Ltmp47:
	movq	$2, (%rax)
.Ltmp48:
	.loc	0 24 36
	movq	_ZTVN4shop6EngineE@GOTPCREL(%rip), %rcx
	addq	$16, %rcx
	movq	%rcx, 8(%rax)
.Ltmp49:
	.loc	0 24 47 is_stmt 0
	movq	$1, 16(%rax)
.Ltmp50:
	.loc	0 24 36
	movq	%rcx, 88(%rax)
.Ltmp51:
	.loc	0 24 47 is_stmt 1
	movq	$1, 96(%rax)
.Ltmp52:
	.loc	0 62 5
	leaq	.L.str(%rip), %rbx
	leaq	.L.str.1(%rip), %r14
	leaq	.L.str.11(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$62, %ecx
	xorl	%eax, %eax
.Ltmp53:
	callq	printf@PLT
.Ltmp54:
	.loc	0 63 42
	movslq	%ebp, %rdi
	.loc	0 63 49 is_stmt 0
	shlq	$3, %rdi
	.loc	0 63 8
	callq	malloc@PLT
.Ltmp55:
	.loc	0 63 5 is_stmt 1
	leaq	.L.str.12(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$63, %ecx
	xorl	%eax, %eax
	callq	printf@PLT
.Ltmp56:
	.loc	0 64 8
	movl	$56, %edi
	callq	_Znwm@PLT
.Ltmp57:
	.loc	0 64 5
	leaq	.L.str.13(%rip), %r8
	movq	%rbx, %rdi
	movq	%r14, %rsi
	movq	%rax, %rdx
	movl	$64, %ecx
	xorl	%eax, %eax
	.loc	0 64 5 epilogue_begin is_stmt 0
	popq	%rbx
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%rbp
.Ltmp58:
	.cfi_def_cfa_offset 8
	jmp	printf@PLT
.Ltmp59:
.Lfunc_end3:
	.size	_ZL7untypedi, .Lfunc_end3-_ZL7untypedi
	.cfi_endproc
	.section	.text._ZN4shop6EngineD0Ev,"axG",@progbits,_ZN4shop6EngineD0Ev,comdat
	.weak	_ZN4shop6EngineD0Ev
	.p2align	4
	.type	_ZN4shop6EngineD0Ev,@function
_ZN4shop6EngineD0Ev:
.Lfunc_begin4:
	.cfi_startproc
	.loc	0 25 31 prologue_end is_stmt 1
	movl	$80, %esi
.Ltmp60:
	jmp	_ZdlPvm@PLT
.Ltmp61:
.Lfunc_end4:
	.size	_ZN4shop6EngineD0Ev, .Lfunc_end4-_ZN4shop6EngineD0Ev
	.cfi_endproc
	.section	.text._ZN4shop6EngineD2Ev,"axG",@progbits,_ZN4shop6EngineD2Ev,comdat
	.weak	_ZN4shop6EngineD2Ev
	.p2align	4
	.type	_ZN4shop6EngineD2Ev,@function
_ZN4shop6EngineD2Ev:
.Lfunc_begin5:
	.cfi_startproc
	.loc	0 25 31 prologue_end
	retq
.Ltmp62:
.Lfunc_end5:
	.size	_ZN4shop6EngineD2Ev, .Lfunc_end5-_ZN4shop6EngineD2Ev
	.cfi_endproc
	.section	.text._ZN4shop6DieselD0Ev,"axG",@progbits,_ZN4shop6DieselD0Ev,comdat
	.weak	_ZN4shop6DieselD0Ev
	.p2align	4
	.type	_ZN4shop6DieselD0Ev,@function
_ZN4shop6DieselD0Ev:
.Lfunc_begin6:
	.cfi_startproc
	.loc	0 29 8 prologue_end
	movl	$80, %esi
.Ltmp63:
	jmp	_ZdlPvm@PLT
.Ltmp64:
.Lfunc_end6:
	.size	_ZN4shop6DieselD0Ev, .Lfunc_end6-_ZN4shop6DieselD0Ev
	.cfi_endproc
	.type	.L.str,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L.str:
	.asciz	"label %s %p %d %s\n"
	.size	.L.str, 19
	.type	.L.str.1,@object
.L.str.1:
	.asciz	"at"
	.size	.L.str.1, 3
	.type	.L.str.3,@object
.L.str.3:
	.asciz	"Order"
	.size	.L.str.3, 6
	.type	.L.str.4,@object
.L.str.4:
	.asciz	"Engine"
	.size	.L.str.4, 7
	.type	.L.str.5,@object
.L.str.5:
	.asciz	"Diesel"
	.size	.L.str.5, 7
	.type	.L.str.6,@object
.L.str.6:
	.asciz	"Pair<long>"
	.size	.L.str.6, 11
	.type	.L.str.7,@object
.L.str.7:
	.asciz	"Number"
	.size	.L.str.7, 7
	.type	_ZTVN4shop6EngineE,@object
	.section	.data.rel.ro._ZTVN4shop6EngineE,"awG",@progbits,_ZTVN4shop6EngineE,comdat
	.weak	_ZTVN4shop6EngineE
	.p2align	3, 0x0
_ZTVN4shop6EngineE:
	.quad	0
	.quad	_ZTIN4shop6EngineE
	.quad	_ZN4shop6EngineD2Ev
	.quad	_ZN4shop6EngineD0Ev
	.size	_ZTVN4shop6EngineE, 32
	.type	_ZTIN4shop6EngineE,@object
	.section	.data.rel.ro._ZTIN4shop6EngineE,"awG",@progbits,_ZTIN4shop6EngineE,comdat
	.weak	_ZTIN4shop6EngineE
	.p2align	3, 0x0
_ZTIN4shop6EngineE:
	.quad	_ZTVN10__cxxabiv117__class_type_infoE+16
	.quad	_ZTSN4shop6EngineE
	.size	_ZTIN4shop6EngineE, 16
	.type	_ZTSN4shop6EngineE,@object
	.section	.rodata._ZTSN4shop6EngineE,"aG",@progbits,_ZTSN4shop6EngineE,comdat
	.weak	_ZTSN4shop6EngineE
_ZTSN4shop6EngineE:
	.asciz	"N4shop6EngineE"
	.size	_ZTSN4shop6EngineE, 15
	.type	_ZTVN4shop6DieselE,@object
	.section	.data.rel.ro._ZTVN4shop6DieselE,"awG",@progbits,_ZTVN4shop6DieselE,comdat
	.weak	_ZTVN4shop6DieselE
	.p2align	3, 0x0
_ZTVN4shop6DieselE:
	.quad	0
	.quad	_ZTIN4shop6DieselE
	.quad	_ZN4shop6EngineD2Ev
	.quad	_ZN4shop6DieselD0Ev
	.size	_ZTVN4shop6DieselE, 32
	.type	_ZTIN4shop6DieselE,@object
	.section	.data.rel.ro._ZTIN4shop6DieselE,"awG",@progbits,_ZTIN4shop6DieselE,comdat
	.weak	_ZTIN4shop6DieselE
	.p2align	3, 0x0
_ZTIN4shop6DieselE:
	.quad	_ZTVN10__cxxabiv120__si_class_type_infoE+16
	.quad	_ZTSN4shop6DieselE
	.quad	_ZTIN4shop6EngineE
	.size	_ZTIN4shop6DieselE, 24
	.type	_ZTSN4shop6DieselE,@object
	.section	.rodata._ZTSN4shop6DieselE,"aG",@progbits,_ZTSN4shop6DieselE,comdat
	.weak	_ZTSN4shop6DieselE
_ZTSN4shop6DieselE:
	.asciz	"N4shop6DieselE"
	.size	_ZTSN4shop6DieselE, 15
	.type	.L.str.8,@object
	.section	.rodata.str1.1,"aMS",@progbits,1
.L.str.8:
	.asciz	"int[]"
	.size	.L.str.8, 6
	.type	.L.str.9,@object
.L.str.9:
	.asciz	"Order[]"
	.size	.L.str.9, 8
	.type	.L.str.10,@object
.L.str.10:
	.asciz	"Engine*[]"
	.size	.L.str.10, 10
	.type	.L.str.11,@object
.L.str.11:
	.asciz	"Engine[]"
	.size	.L.str.11, 9
	.type	.L.str.12,@object
.L.str.12:
	.asciz	"malloc"
	.size	.L.str.12, 7
	.type	.L.str.13,@object
.L.str.13:
	.asciz	"operator new"
	.size	.L.str.13, 13
	.file	1 "<stdin>"
	.section	.debug_loclists,"",@progbits
	.long	.Ldebug_list_header_end0-.Ldebug_list_header_start0
.Ldebug_list_header_start0:
	.short	5
	.byte	8
	.byte	0
	.long	5
.Lloclists_table_base0:
	.long	.Ldebug_loc0-.Lloclists_table_base0
	.long	.Ldebug_loc1-.Lloclists_table_base0
	.long	.Ldebug_loc2-.Lloclists_table_base0
	.long	.Ldebug_loc3-.Lloclists_table_base0
	.long	.Ldebug_loc4-.Lloclists_table_base0
.Ldebug_loc0:
	.byte	1
	.byte	15
	.byte	4
	.uleb128 .Lfunc_begin0-.Lfunc_begin0
	.uleb128 .Ltmp1-.Lfunc_begin0
	.byte	1
	.byte	85
	.byte	4
	.uleb128 .Ltmp1-.Lfunc_begin0
	.uleb128 .Ltmp6-.Lfunc_begin0
	.byte	1
	.byte	83
	.byte	4
	.uleb128 .Ltmp6-.Lfunc_begin0
	.uleb128 .Lfunc_end0-.Lfunc_begin0
	.byte	4
	.byte	163
	.byte	1
	.byte	85
	.byte	159
	.byte	0
.Ldebug_loc1:
	.byte	1
	.byte	15
	.byte	4
	.uleb128 .Lfunc_begin0-.Lfunc_begin0
	.uleb128 .Ltmp1-.Lfunc_begin0
	.byte	1
	.byte	84
	.byte	4
	.uleb128 .Ltmp1-.Lfunc_begin0
	.uleb128 .Lfunc_end0-.Lfunc_begin0
	.byte	4
	.byte	163
	.byte	1
	.byte	84
	.byte	159
	.byte	0
.Ldebug_loc2:
	.byte	1
	.byte	15
	.byte	4
	.uleb128 .Lfunc_begin1-.Lfunc_begin0
	.uleb128 .Ltmp9-.Lfunc_begin0
	.byte	1
	.byte	85
	.byte	4
	.uleb128 .Ltmp9-.Lfunc_begin0
	.uleb128 .Ltmp30-.Lfunc_begin0
	.byte	1
	.byte	86
	.byte	4
	.uleb128 .Ltmp30-.Lfunc_begin0
	.uleb128 .Lfunc_end1-.Lfunc_begin0
	.byte	4
	.byte	163
	.byte	1
	.byte	85
	.byte	159
	.byte	0
.Ldebug_loc3:
	.byte	1
	.byte	15
	.byte	4
	.uleb128 .Lfunc_begin2-.Lfunc_begin0
	.uleb128 .Ltmp33-.Lfunc_begin0
	.byte	1
	.byte	85
	.byte	4
	.uleb128 .Ltmp33-.Lfunc_begin0
	.uleb128 .Ltmp40-.Lfunc_begin0
	.byte	1
	.byte	83
	.byte	4
	.uleb128 .Ltmp40-.Lfunc_begin0
	.uleb128 .Lfunc_end2-.Lfunc_begin0
	.byte	4
	.byte	163
	.byte	1
	.byte	85
	.byte	159
	.byte	0
.Ldebug_loc4:
	.byte	1
	.byte	15
	.byte	4
	.uleb128 .Lfunc_begin3-.Lfunc_begin0
	.uleb128 .Ltmp46-.Lfunc_begin0
	.byte	1
	.byte	85
	.byte	4
	.uleb128 .Ltmp46-.Lfunc_begin0
	.uleb128 .Ltmp58-.Lfunc_begin0
	.byte	1
	.byte	86
	.byte	4
	.uleb128 .Ltmp58-.Lfunc_begin0
	.uleb128 .Lfunc_end3-.Lfunc_begin0
	.byte	4
	.byte	163
	.byte	1
	.byte	85
	.byte	159
	.byte	0
.Ldebug_list_header_end0:
	.section	.debug_abbrev,"",@progbits
	.byte	1
	.byte	17
	.byte	1
	.byte	37
	.byte	37
	.byte	19
	.byte	5
	.byte	3
	.byte	37
	.byte	114
	.byte	23
	.byte	16
	.byte	23
	.byte	27
	.byte	37
	.byte	17
	.byte	1
	.byte	85
	.byte	35
	.byte	115
	.byte	23
	.byte	116
	.byte	23
	.ascii	"\214\001"
	.byte	23
	.byte	0
	.byte	0
	.byte	2
	.byte	52
	.byte	0
	.byte	73
	.byte	19
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	2
	.byte	24
	.byte	0
	.byte	0
	.byte	3
	.byte	1
	.byte	1
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	4
	.byte	33
	.byte	0
	.byte	73
	.byte	19
	.byte	55
	.byte	11
	.byte	0
	.byte	0
	.byte	5
	.byte	38
	.byte	0
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	6
	.byte	36
	.byte	0
	.byte	3
	.byte	37
	.byte	62
	.byte	11
	.byte	11
	.byte	11
	.byte	0
	.byte	0
	.byte	7
	.byte	36
	.byte	0
	.byte	3
	.byte	37
	.byte	11
	.byte	11
	.byte	62
	.byte	11
	.byte	0
	.byte	0
	.byte	8
	.byte	52
	.byte	0
	.byte	73
	.byte	19
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	0
	.byte	0
	.byte	9
	.byte	52
	.byte	0
	.byte	71
	.byte	19
	.ascii	"\210\001"
	.byte	15
	.byte	2
	.byte	24
	.byte	110
	.byte	37
	.byte	0
	.byte	0
	.byte	10
	.byte	57
	.byte	1
	.byte	3
	.byte	37
	.byte	0
	.byte	0
	.byte	11
	.byte	19
	.byte	1
	.byte	29
	.byte	19
	.byte	54
	.byte	11
	.byte	3
	.byte	37
	.byte	11
	.byte	11
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	0
	.byte	0
	.byte	12
	.byte	13
	.byte	0
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	56
	.byte	11
	.byte	52
	.byte	25
	.byte	0
	.byte	0
	.byte	13
	.byte	13
	.byte	0
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	56
	.byte	11
	.byte	0
	.byte	0
	.byte	14
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	60
	.byte	25
	.byte	63
	.byte	25
	.byte	99
	.byte	25
	.byte	0
	.byte	0
	.byte	15
	.byte	5
	.byte	0
	.byte	73
	.byte	19
	.byte	52
	.byte	25
	.byte	0
	.byte	0
	.byte	16
	.byte	5
	.byte	0
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	17
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	76
	.byte	11
	.byte	77
	.byte	24
	.byte	60
	.byte	25
	.byte	63
	.byte	25
	.byte	29
	.byte	19
	.byte	0
	.byte	0
	.byte	18
	.byte	52
	.byte	0
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	63
	.byte	25
	.byte	60
	.byte	25
	.byte	52
	.byte	25
	.byte	50
	.byte	11
	.byte	0
	.byte	0
	.byte	19
	.byte	28
	.byte	0
	.byte	73
	.byte	19
	.byte	56
	.byte	11
	.byte	0
	.byte	0
	.byte	20
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	76
	.byte	11
	.byte	77
	.byte	24
	.byte	60
	.byte	25
	.byte	52
	.byte	25
	.byte	63
	.byte	25
	.byte	29
	.byte	19
	.byte	0
	.byte	0
	.byte	21
	.byte	19
	.byte	1
	.byte	54
	.byte	11
	.byte	3
	.byte	37
	.byte	11
	.byte	11
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	0
	.byte	0
	.byte	22
	.byte	47
	.byte	0
	.byte	73
	.byte	19
	.byte	3
	.byte	37
	.byte	0
	.byte	0
	.byte	23
	.byte	22
	.byte	0
	.byte	73
	.byte	19
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	0
	.byte	0
	.byte	24
	.byte	15
	.byte	0
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	25
	.byte	15
	.byte	0
	.byte	73
	.byte	19
	.byte	3
	.byte	37
	.byte	0
	.byte	0
	.byte	26
	.byte	21
	.byte	0
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	27
	.byte	15
	.byte	0
	.byte	0
	.byte	0
	.byte	28
	.byte	46
	.byte	1
	.byte	17
	.byte	27
	.byte	18
	.byte	6
	.byte	64
	.byte	24
	.byte	122
	.byte	25
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	73
	.byte	19
	.byte	63
	.byte	25
	.byte	0
	.byte	0
	.byte	29
	.byte	5
	.byte	0
	.byte	2
	.byte	34
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	30
	.byte	5
	.byte	0
	.byte	2
	.byte	34
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	31
	.byte	72
	.byte	1
	.byte	127
	.byte	19
	.byte	125
	.byte	27
	.byte	0
	.byte	0
	.byte	32
	.byte	73
	.byte	0
	.byte	2
	.byte	24
	.byte	126
	.byte	24
	.byte	0
	.byte	0
	.byte	33
	.byte	46
	.byte	1
	.byte	17
	.byte	27
	.byte	18
	.byte	6
	.byte	64
	.byte	24
	.byte	122
	.byte	25
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	0
	.byte	0
	.byte	34
	.byte	29
	.byte	1
	.byte	49
	.byte	19
	.byte	17
	.byte	27
	.byte	18
	.byte	6
	.byte	88
	.byte	11
	.byte	89
	.byte	11
	.byte	87
	.byte	11
	.byte	0
	.byte	0
	.byte	35
	.byte	5
	.byte	0
	.byte	2
	.byte	24
	.byte	49
	.byte	19
	.byte	0
	.byte	0
	.byte	36
	.byte	72
	.byte	1
	.byte	127
	.byte	19
	.byte	125
	.byte	27
	.ascii	"\216|"
	.byte	19
	.byte	0
	.byte	0
	.byte	37
	.byte	72
	.byte	1
	.byte	127
	.byte	19
	.ascii	"\202\001"
	.byte	25
	.ascii	"\201\001"
	.byte	27
	.byte	0
	.byte	0
	.byte	38
	.byte	5
	.byte	0
	.byte	28
	.byte	13
	.byte	49
	.byte	19
	.byte	0
	.byte	0
	.byte	39
	.byte	72
	.byte	0
	.byte	127
	.byte	19
	.byte	125
	.byte	27
	.byte	0
	.byte	0
	.byte	40
	.byte	46
	.byte	1
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	73
	.byte	19
	.byte	60
	.byte	25
	.byte	63
	.byte	25
	.byte	0
	.byte	0
	.byte	41
	.byte	46
	.byte	1
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	60
	.byte	25
	.byte	63
	.byte	25
	.byte	0
	.byte	0
	.byte	42
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	71
	.byte	19
	.byte	32
	.byte	33
	.byte	1
	.byte	100
	.byte	19
	.byte	0
	.byte	0
	.byte	43
	.byte	5
	.byte	0
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	52
	.byte	25
	.byte	0
	.byte	0
	.byte	44
	.byte	5
	.byte	0
	.byte	3
	.byte	37
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	73
	.byte	19
	.byte	0
	.byte	0
	.byte	45
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	60
	.byte	25
	.byte	52
	.byte	25
	.byte	63
	.byte	25
	.byte	0
	.byte	0
	.byte	46
	.byte	24
	.byte	0
	.byte	0
	.byte	0
	.byte	47
	.byte	46
	.byte	1
	.byte	17
	.byte	27
	.byte	18
	.byte	6
	.byte	64
	.byte	24
	.byte	100
	.byte	19
	.byte	122
	.byte	25
	.byte	110
	.byte	37
	.byte	71
	.byte	19
	.byte	0
	.byte	0
	.byte	48
	.byte	5
	.byte	0
	.byte	2
	.byte	24
	.byte	3
	.byte	37
	.byte	73
	.byte	19
	.byte	52
	.byte	25
	.byte	0
	.byte	0
	.byte	49
	.byte	46
	.byte	1
	.byte	110
	.byte	37
	.byte	3
	.byte	37
	.byte	60
	.byte	25
	.byte	52
	.byte	25
	.byte	63
	.byte	25
	.byte	0
	.byte	0
	.byte	50
	.byte	46
	.byte	1
	.byte	17
	.byte	27
	.byte	18
	.byte	6
	.byte	64
	.byte	24
	.byte	100
	.byte	19
	.byte	122
	.byte	25
	.byte	58
	.byte	11
	.byte	59
	.byte	11
	.byte	110
	.byte	37
	.byte	71
	.byte	19
	.byte	0
	.byte	0
	.byte	0
	.section	.debug_info,"",@progbits
.Lcu_begin0:
	.long	.Ldebug_info_end0-.Ldebug_info_start0
.Ldebug_info_start0:
	.short	5
	.byte	1
	.byte	8
	.long	.debug_abbrev
	.byte	1
	.byte	0
	.short	33
	.byte	1
	.long	.Lstr_offsets_base0
	.long	.Lline_table_start0
	.byte	2
	.quad	0
	.byte	0
	.long	.Laddr_table_base0
	.long	.Lrnglists_table_base0
	.long	.Lloclists_table_base0
	.byte	2
	.long	57
	.byte	0
	.byte	45
	.byte	2
	.byte	161
	.byte	0
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	19
	.byte	0
	.byte	5
	.long	74
	.byte	6
	.byte	3
	.byte	6
	.byte	1
	.byte	7
	.byte	4
	.byte	8
	.byte	7
	.byte	2
	.long	92
	.byte	0
	.byte	45
	.byte	2
	.byte	161
	.byte	1
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	3
	.byte	0
	.byte	8
	.long	111
	.byte	0
	.byte	45
	.byte	3
	.long	74
	.byte	4
	.long	78
	.byte	40
	.byte	0
	.byte	2
	.long	133
	.byte	0
	.byte	45
	.byte	2
	.byte	161
	.byte	2
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	6
	.byte	0
	.byte	2
	.long	155
	.byte	0
	.byte	46
	.byte	2
	.byte	161
	.byte	3
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	7
	.byte	0
	.byte	2
	.long	155
	.byte	0
	.byte	49
	.byte	2
	.byte	161
	.byte	4
	.byte	2
	.long	187
	.byte	0
	.byte	50
	.byte	2
	.byte	161
	.byte	5
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	11
	.byte	0
	.byte	2
	.long	155
	.byte	0
	.byte	51
	.byte	2
	.byte	161
	.byte	6
	.byte	9
	.long	282
	.byte	8
	.byte	2
	.byte	161
	.byte	7
	.byte	16
	.byte	10
	.byte	5
	.byte	11
	.long	221
	.byte	4
	.byte	12
	.byte	80
	.byte	0
	.byte	22
	.byte	12
	.byte	6
	.long	421
	.byte	0
	.byte	13
	.byte	9
	.long	441
	.byte	0
	.byte	23
	.byte	8
	.byte	14
	.byte	11
	.byte	12
	.byte	0
	.byte	24
	.byte	15
	.long	457
	.byte	16
	.long	437
	.byte	0
	.byte	17
	.byte	13
	.byte	14
	.byte	0
	.byte	25
	.byte	1
	.byte	2
	.byte	16
	.byte	0
	.long	221
	.byte	15
	.long	457
	.byte	0
	.byte	18
	.byte	15
	.long	462
	.byte	3
	.byte	0
	.byte	11
	.long	221
	.byte	4
	.byte	18
	.byte	80
	.byte	0
	.byte	29
	.byte	19
	.long	221
	.byte	0
	.byte	14
	.byte	17
	.byte	18
	.byte	0
	.byte	30
	.byte	15
	.long	473
	.byte	16
	.long	437
	.byte	0
	.byte	18
	.byte	15
	.long	462
	.byte	3
	.byte	20
	.byte	45
	.byte	46
	.byte	1
	.byte	2
	.byte	16
	.byte	0
	.long	290
	.byte	15
	.long	473
	.byte	0
	.byte	0
	.byte	21
	.byte	5
	.byte	33
	.byte	56
	.byte	0
	.byte	16
	.byte	13
	.byte	29
	.long	437
	.byte	0
	.byte	17
	.byte	0
	.byte	13
	.byte	30
	.long	1475
	.byte	0
	.byte	18
	.byte	8
	.byte	13
	.byte	32
	.long	111
	.byte	0
	.byte	19
	.byte	16
	.byte	0
	.byte	21
	.byte	5
	.byte	38
	.byte	16
	.byte	0
	.byte	34
	.byte	22
	.long	453
	.byte	35
	.byte	13
	.byte	36
	.long	453
	.byte	0
	.byte	35
	.byte	0
	.byte	13
	.byte	37
	.long	453
	.byte	0
	.byte	35
	.byte	8
	.byte	0
	.byte	23
	.long	453
	.byte	39
	.byte	0
	.byte	38
	.byte	0
	.byte	24
	.long	426
	.byte	25
	.long	432
	.byte	8
	.byte	26
	.long	437
	.byte	6
	.byte	7
	.byte	5
	.byte	4
	.byte	3
	.long	453
	.byte	4
	.long	78
	.byte	9
	.byte	0
	.byte	6
	.byte	10
	.byte	5
	.byte	8
	.byte	24
	.long	221
	.byte	27
	.byte	9
	.long	322
	.byte	8
	.byte	2
	.byte	161
	.byte	8
	.byte	19
	.byte	24
	.long	290
	.byte	2
	.long	133
	.byte	0
	.byte	55
	.byte	2
	.byte	161
	.byte	9
	.byte	2
	.long	498
	.byte	0
	.byte	56
	.byte	2
	.byte	161
	.byte	10
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	8
	.byte	0
	.byte	2
	.long	520
	.byte	0
	.byte	57
	.byte	2
	.byte	161
	.byte	11
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	10
	.byte	0
	.byte	2
	.long	542
	.byte	0
	.byte	62
	.byte	2
	.byte	161
	.byte	12
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	9
	.byte	0
	.byte	2
	.long	155
	.byte	0
	.byte	63
	.byte	2
	.byte	161
	.byte	13
	.byte	2
	.long	574
	.byte	0
	.byte	64
	.byte	2
	.byte	161
	.byte	14
	.byte	3
	.long	69
	.byte	4
	.long	78
	.byte	13
	.byte	0
	.byte	24
	.long	74
	.byte	6
	.byte	20
	.byte	7
	.byte	8
	.byte	28
	.byte	15
	.long	.Lfunc_end0-.Lfunc_begin0
	.byte	1
	.byte	87
	.byte	47
	.byte	0
	.byte	67
	.long	437
	.byte	29
	.byte	0
	.byte	57
	.byte	0
	.byte	67
	.long	437
	.byte	30
	.byte	1
	.byte	0
	.byte	67
	.long	1660
	.byte	31
	.long	692
	.byte	16
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	163
	.byte	1
	.byte	85
	.byte	0
	.byte	31
	.long	1076
	.byte	17
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	31
	.long	1226
	.byte	18
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	31
	.long	1378
	.byte	19
	.byte	32
	.byte	1
	.byte	85
	.byte	1
	.byte	48
	.byte	0
	.byte	31
	.long	1392
	.byte	20
	.byte	32
	.byte	1
	.byte	85
	.byte	1
	.byte	48
	.byte	0
	.byte	0
	.byte	33
	.byte	21
	.long	.Lfunc_end1-.Lfunc_begin1
	.byte	1
	.byte	87
	.byte	48
	.byte	49
	.byte	0
	.byte	44
	.byte	29
	.byte	2
	.byte	25
	.byte	0
	.byte	44
	.long	437
	.byte	34
	.long	1402
	.byte	22
	.long	.Ltmp14-.Ltmp12
	.byte	0
	.byte	46
	.byte	12
	.byte	35
	.byte	1
	.byte	80
	.long	1412
	.byte	35
	.byte	1
	.byte	86
	.long	1418
	.byte	0
	.byte	34
	.long	1402
	.byte	23
	.long	.Ltmp19-.Ltmp17
	.byte	0
	.byte	48
	.byte	12
	.byte	35
	.byte	1
	.byte	80
	.long	1412
	.byte	35
	.byte	1
	.byte	86
	.long	1418
	.byte	0
	.byte	34
	.long	1432
	.byte	24
	.long	.Ltmp24-.Ltmp22
	.byte	0
	.byte	49
	.byte	12
	.byte	35
	.byte	1
	.byte	80
	.long	1442
	.byte	35
	.byte	1
	.byte	86
	.long	1448
	.byte	34
	.long	1402
	.byte	24
	.long	.Ltmp23-.Ltmp22
	.byte	0
	.byte	30
	.byte	34
	.byte	35
	.byte	1
	.byte	80
	.long	1412
	.byte	35
	.byte	1
	.byte	86
	.long	1418
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	25
	.long	347
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	16
	.byte	56
	.byte	0
	.byte	31
	.long	1479
	.byte	26
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	45
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	22
	.long	221
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	16
	.byte	80
	.byte	0
	.byte	31
	.long	1479
	.byte	27
	.byte	32
	.byte	1
	.byte	88
	.byte	2
	.byte	127
	.byte	0
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	46
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	23
	.long	221
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	16
	.byte	80
	.byte	0
	.byte	31
	.long	1479
	.byte	28
	.byte	32
	.byte	1
	.byte	88
	.byte	2
	.byte	127
	.byte	0
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	48
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	24
	.long	290
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	16
	.byte	80
	.byte	0
	.byte	31
	.long	1479
	.byte	29
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	49
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	30
	.long	381
	.byte	32
	.byte	1
	.byte	85
	.byte	1
	.byte	64
	.byte	0
	.byte	31
	.long	1479
	.byte	31
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	50
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	36
	.long	1462
	.byte	32
	.long	412
	.byte	32
	.byte	1
	.byte	85
	.byte	1
	.byte	56
	.byte	0
	.byte	37
	.long	1479
	.byte	33
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	51
	.byte	0
	.byte	0
	.byte	33
	.byte	34
	.long	.Lfunc_end2-.Lfunc_begin2
	.byte	1
	.byte	87
	.byte	50
	.byte	51
	.byte	0
	.byte	54
	.byte	29
	.byte	3
	.byte	25
	.byte	0
	.byte	54
	.long	437
	.byte	36
	.long	1499
	.byte	35
	.long	437
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	16
	.ascii	"\220\003"
	.byte	0
	.byte	31
	.long	1479
	.byte	36
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	55
	.byte	32
	.byte	1
	.byte	81
	.byte	2
	.byte	124
	.byte	0
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	127
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	126
	.byte	0
	.byte	0
	.byte	36
	.long	1499
	.byte	37
	.long	347
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	16
	.ascii	"\210\003"
	.byte	0
	.byte	31
	.long	1479
	.byte	38
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	56
	.byte	32
	.byte	1
	.byte	81
	.byte	2
	.byte	124
	.byte	0
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	127
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	126
	.byte	0
	.byte	0
	.byte	36
	.long	1499
	.byte	39
	.long	1427
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	37
	.long	1479
	.byte	40
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	57
	.byte	0
	.byte	0
	.byte	33
	.byte	41
	.long	.Lfunc_end3-.Lfunc_begin3
	.byte	1
	.byte	87
	.byte	52
	.byte	53
	.byte	0
	.byte	60
	.byte	29
	.byte	4
	.byte	25
	.byte	0
	.byte	60
	.long	437
	.byte	34
	.long	1402
	.byte	42
	.long	.Ltmp52-.Ltmp48
	.byte	0
	.byte	62
	.byte	32
	.byte	35
	.byte	4
	.byte	112
	.asciz	"\330"
	.byte	159
	.long	1412
	.byte	38
	.byte	1
	.long	1418
	.byte	0
	.byte	36
	.long	1499
	.byte	43
	.long	221
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	16
	.ascii	"\250\001"
	.byte	0
	.byte	31
	.long	1479
	.byte	44
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	62
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	39
	.long	1512
	.byte	45
	.byte	31
	.long	1479
	.byte	46
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	63
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	126
	.byte	0
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	115
	.byte	0
	.byte	0
	.byte	31
	.long	1462
	.byte	47
	.byte	32
	.byte	1
	.byte	85
	.byte	2
	.byte	16
	.byte	56
	.byte	0
	.byte	37
	.long	1479
	.byte	48
	.byte	32
	.byte	1
	.byte	82
	.byte	2
	.byte	16
	.byte	64
	.byte	0
	.byte	0
	.byte	40
	.byte	21
	.byte	0
	.byte	10
	.long	437
	.byte	16
	.long	462
	.byte	0
	.byte	41
	.byte	22
	.byte	0
	.byte	12
	.byte	16
	.long	437
	.byte	0
	.byte	42
	.byte	23
	.long	247
	.long	1412
	.byte	43
	.byte	24
	.long	1427
	.byte	44
	.byte	25
	.byte	0
	.byte	24
	.long	437
	.byte	0
	.byte	24
	.long	221
	.byte	42
	.byte	26
	.long	306
	.long	1442
	.byte	43
	.byte	24
	.long	1457
	.byte	44
	.byte	25
	.byte	0
	.byte	30
	.long	437
	.byte	0
	.byte	24
	.long	290
	.byte	45
	.byte	27
	.byte	28
	.long	462
	.byte	16
	.long	591
	.byte	0
	.byte	6
	.byte	31
	.byte	4
	.byte	8
	.byte	40
	.byte	34
	.byte	0
	.byte	9
	.long	437
	.byte	16
	.long	1494
	.byte	46
	.byte	0
	.byte	24
	.long	69
	.byte	45
	.byte	40
	.byte	41
	.long	462
	.byte	16
	.long	591
	.byte	0
	.byte	40
	.byte	42
	.byte	0
	.byte	11
	.long	462
	.byte	16
	.long	591
	.byte	0
	.byte	47
	.byte	49
	.long	.Lfunc_end4-.Lfunc_begin4
	.byte	1
	.byte	87
	.long	1543
	.byte	54
	.long	263
	.byte	48
	.byte	1
	.byte	85
	.byte	24
	.long	1427
	.byte	37
	.long	1572
	.byte	50
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	16
	.byte	80
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	163
	.byte	1
	.byte	85
	.byte	0
	.byte	0
	.byte	49
	.byte	43
	.byte	44
	.byte	16
	.long	462
	.byte	16
	.long	591
	.byte	0
	.byte	47
	.byte	51
	.long	.Lfunc_end5-.Lfunc_begin5
	.byte	1
	.byte	87
	.long	1603
	.byte	55
	.long	263
	.byte	48
	.byte	1
	.byte	85
	.byte	24
	.long	1427
	.byte	0
	.byte	50
	.byte	52
	.long	.Lfunc_end6-.Lfunc_begin6
	.byte	1
	.byte	87
	.long	1631
	.byte	0
	.byte	29
	.byte	56
	.long	329
	.byte	48
	.byte	1
	.byte	85
	.byte	24
	.long	1457
	.byte	37
	.long	1572
	.byte	53
	.byte	32
	.byte	1
	.byte	84
	.byte	2
	.byte	16
	.byte	80
	.byte	32
	.byte	1
	.byte	85
	.byte	3
	.byte	163
	.byte	1
	.byte	85
	.byte	0
	.byte	0
	.byte	24
	.long	586
	.byte	0
.Ldebug_info_end0:
	.section	.debug_rnglists,"",@progbits
	.long	.Ldebug_list_header_end1-.Ldebug_list_header_start1
.Ldebug_list_header_start1:
	.short	5
	.byte	8
	.byte	0
	.long	1
.Lrnglists_table_base0:
	.long	.Ldebug_ranges0-.Lrnglists_table_base0
.Ldebug_ranges0:
	.byte	3
	.byte	15
	.uleb128 .Lfunc_end3-.Lfunc_begin0
	.byte	3
	.byte	49
	.uleb128 .Lfunc_end4-.Lfunc_begin4
	.byte	3
	.byte	51
	.uleb128 .Lfunc_end5-.Lfunc_begin5
	.byte	3
	.byte	52
	.uleb128 .Lfunc_end6-.Lfunc_begin6
	.byte	0
.Ldebug_list_header_end1:
	.section	.debug_str_offsets,"",@progbits
	.long	236
	.short	5
	.short	0
.Lstr_offsets_base0:
	.section	.debug_str,"MS",@progbits,1
.Linfo_string0:
	.byte	0
.Linfo_string1:
	.asciz	"new.cpp"
.Linfo_string2:
	.asciz	"."
.Linfo_string3:
	.asciz	"char"
.Linfo_string4:
	.asciz	"__ARRAY_SIZE_TYPE__"
.Linfo_string5:
	.asciz	"shop"
.Linfo_string6:
	.asciz	"_vptr$Engine"
.Linfo_string7:
	.asciz	"int"
.Linfo_string8:
	.asciz	"__vtbl_ptr_type"
.Linfo_string9:
	.asciz	"parts"
.Linfo_string10:
	.asciz	"long"
.Linfo_string11:
	.asciz	"_ZN4shop6EngineC4Ei"
.Linfo_string12:
	.asciz	"Engine"
.Linfo_string13:
	.asciz	"_ZN4shop6EngineD4Ev"
.Linfo_string14:
	.asciz	"~Engine"
.Linfo_string15:
	.asciz	"_vtable$"
.Linfo_string16:
	.asciz	"_ZTVN4shop6EngineE"
.Linfo_string17:
	.asciz	"_ZN4shop6DieselC4Ei"
.Linfo_string18:
	.asciz	"Diesel"
.Linfo_string19:
	.asciz	"_ZTVN4shop6DieselE"
.Linfo_string20:
	.asciz	"unsigned long"
.Linfo_string21:
	.asciz	"fflush"
.Linfo_string22:
	.asciz	"_exit"
.Linfo_string23:
	.asciz	"_ZN4shop6EngineC2Ei"
.Linfo_string24:
	.asciz	"this"
.Linfo_string25:
	.asciz	"count"
.Linfo_string26:
	.asciz	"_ZN4shop6DieselC2Ei"
.Linfo_string27:
	.asciz	"_Znwm"
.Linfo_string28:
	.asciz	"operator new"
.Linfo_string29:
	.asciz	"number"
.Linfo_string30:
	.asciz	"price"
.Linfo_string31:
	.asciz	"double"
.Linfo_string32:
	.asciz	"note"
.Linfo_string33:
	.asciz	"Order"
.Linfo_string34:
	.asciz	"printf"
.Linfo_string35:
	.asciz	"T"
.Linfo_string36:
	.asciz	"one"
.Linfo_string37:
	.asciz	"two"
.Linfo_string38:
	.asciz	"Pair<long>"
.Linfo_string39:
	.asciz	"Number"
.Linfo_string40:
	.asciz	"_Znam"
.Linfo_string41:
	.asciz	"operator new[]"
.Linfo_string42:
	.asciz	"malloc"
.Linfo_string43:
	.asciz	"_ZdlPvm"
.Linfo_string44:
	.asciz	"operator delete"
.Linfo_string45:
	.asciz	"_ZN4shop6DieselD4Ev"
.Linfo_string46:
	.asciz	"~Diesel"
.Linfo_string47:
	.asciz	"main"
.Linfo_string48:
	.asciz	"_ZL6valuesi"
.Linfo_string49:
	.asciz	"values"
.Linfo_string50:
	.asciz	"_ZL6arraysi"
.Linfo_string51:
	.asciz	"arrays"
.Linfo_string52:
	.asciz	"_ZL7untypedi"
.Linfo_string53:
	.asciz	"untyped"
.Linfo_string54:
	.asciz	"_ZN4shop6EngineD0Ev"
.Linfo_string55:
	.asciz	"_ZN4shop6EngineD2Ev"
.Linfo_string56:
	.asciz	"_ZN4shop6DieselD0Ev"
.Linfo_string57:
	.asciz	"argc"
	.section	.debug_str_offsets,"",@progbits
	.long	.Linfo_string0
	.long	.Linfo_string1
	.long	.Linfo_string2
	.long	.Linfo_string3
	.long	.Linfo_string4
	.long	.Linfo_string5
	.long	.Linfo_string6
	.long	.Linfo_string7
	.long	.Linfo_string8
	.long	.Linfo_string9
	.long	.Linfo_string10
	.long	.Linfo_string11
	.long	.Linfo_string12
	.long	.Linfo_string13
	.long	.Linfo_string14
	.long	.Linfo_string15
	.long	.Linfo_string16
	.long	.Linfo_string17
	.long	.Linfo_string18
	.long	.Linfo_string19
	.long	.Linfo_string20
	.long	.Linfo_string21
	.long	.Linfo_string22
	.long	.Linfo_string23
	.long	.Linfo_string24
	.long	.Linfo_string25
	.long	.Linfo_string26
	.long	.Linfo_string27
	.long	.Linfo_string28
	.long	.Linfo_string29
	.long	.Linfo_string30
	.long	.Linfo_string31
	.long	.Linfo_string32
	.long	.Linfo_string33
	.long	.Linfo_string34
	.long	.Linfo_string35
	.long	.Linfo_string36
	.long	.Linfo_string37
	.long	.Linfo_string38
	.long	.Linfo_string39
	.long	.Linfo_string40
	.long	.Linfo_string41
	.long	.Linfo_string42
	.long	.Linfo_string43
	.long	.Linfo_string44
	.long	.Linfo_string45
	.long	.Linfo_string46
	.long	.Linfo_string47
	.long	.Linfo_string48
	.long	.Linfo_string49
	.long	.Linfo_string50
	.long	.Linfo_string51
	.long	.Linfo_string52
	.long	.Linfo_string53
	.long	.Linfo_string54
	.long	.Linfo_string55
	.long	.Linfo_string56
	.long	.Linfo_string57
	.section	.debug_addr,"",@progbits
	.long	.Ldebug_addr_end0-.Ldebug_addr_start0
.Ldebug_addr_start0:
	.short	5
	.byte	8
	.byte	0
.Laddr_table_base0:
	.quad	.L.str
	.quad	.L.str.1
	.quad	.L.str.3
	.quad	.L.str.4
	.quad	.L.str.5
	.quad	.L.str.6
	.quad	.L.str.7
	.quad	_ZTVN4shop6EngineE
	.quad	_ZTVN4shop6DieselE
	.quad	.L.str.8
	.quad	.L.str.9
	.quad	.L.str.10
	.quad	.L.str.11
	.quad	.L.str.12
	.quad	.L.str.13
	.quad	.Lfunc_begin0
	.quad	.Ltmp1
	.quad	.Ltmp2
	.quad	.Ltmp3
	.quad	.Ltmp4
	.quad	.Ltmp5
	.quad	.Lfunc_begin1
	.quad	.Ltmp12
	.quad	.Ltmp17
	.quad	.Ltmp22
	.quad	.Ltmp10
	.quad	.Ltmp11
	.quad	.Ltmp16
	.quad	.Ltmp21
	.quad	.Ltmp26
	.quad	.Ltmp27
	.quad	.Ltmp28
	.quad	.Ltmp29
	.quad	.Ltmp30
	.quad	.Lfunc_begin2
	.quad	.Ltmp34
	.quad	.Ltmp36
	.quad	.Ltmp37
	.quad	.Ltmp39
	.quad	.Ltmp41
	.quad	.Ltmp43
	.quad	.Lfunc_begin3
	.quad	.Ltmp48
	.quad	.Ltmp47
	.quad	.Ltmp54
	.quad	.Ltmp55
	.quad	.Ltmp56
	.quad	.Ltmp57
	.quad	.Ltmp58
	.quad	.Lfunc_begin4
	.quad	.Ltmp60
	.quad	.Lfunc_begin5
	.quad	.Lfunc_begin6
	.quad	.Ltmp63
.Ldebug_addr_end0:
	.section	".note.GNU-stack","",@progbits
	.section	.debug_line,"",@progbits
.Lline_table_start0:
