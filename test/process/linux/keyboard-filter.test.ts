import { expect, test } from 'vitest'
import { keyboardFilter } from '../../../src/process/linux/keyboard-filter.ts'

/** What the kernel does with it: so much of classic BPF as a filter of ours has. */
function verdict(filter: Uint8Array, call: { nr: number; audit: number; request: number }) {
  const steps = new DataView(filter.buffer)
  const data: Record<number, number> = { 0: call.nr, 4: call.audit, 24: call.request }
  let loaded = Number.NaN
  for (let at = 0; ; at++) {
    const value = steps.getUint32(at * 8 + 4, true)
    const jump = (holds: boolean) => steps.getUint8(at * 8 + (holds ? 2 : 3))
    switch (steps.getUint16(at * 8, true)) {
      case 0x20:
        loaded = data[value] ?? Number.NaN
        break
      case 0x15:
        at += jump(loaded === value)
        break
      case 0x35:
        at += jump(loaded >= value)
        break
      case 0x06:
        return value === 0x7fff0000 ? 'allowed' : value === 0x00050001 ? 'EPERM' : value
      default:
        throw new Error(`step ${at} is none that is known`)
    }
  }
}

const [X64, I386, ARM64, ARM] = [0xc000003e, 0x40000003, 0xc00000b7, 0x40000028]
const [TIOCSTI, TIOCLINUX, TCGETS] = [0x5412, 0x541c, 0x5401]

test.each([
  ['x64', X64, 16, TIOCSTI, 'EPERM'],
  ['x64', X64, 16, TIOCLINUX, 'EPERM'],
  ['x64', X64, 16, TCGETS, 'allowed'],
  ['x64', X64, 54, TIOCSTI, 'allowed'], // setsockopt, there
  ['x64', X64, 0x40000000 + 514, TIOCSTI, 'EPERM'],
  ['x64', I386, 54, TIOCSTI, 'EPERM'],
  ['x64', I386, 54, TCGETS, 'allowed'],
  ['x64', I386, 16, TIOCSTI, 'allowed'], // lchown, there
  ['x64', ARM64, 29, TCGETS, 'EPERM'],
  ['arm64', ARM64, 29, TIOCSTI, 'EPERM'],
  ['arm64', ARM64, 29, TCGETS, 'allowed'],
  ['arm64', ARM, 54, TIOCLINUX, 'EPERM'],
] as const)('on %s, of processor %i, call %i of %i: %s', (arch, audit, nr, request, expected) => {
  const filter = keyboardFilter(arch)
  expect(filter && verdict(filter, { audit, nr, request })).toBe(expected)
})

test('where the numbers are not known there is none', () => {
  expect(keyboardFilter('riscv64')).toBeNull()
})
