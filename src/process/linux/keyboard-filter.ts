/**
 * A filter of system calls for what is confined at a terminal: two requests put words into the terminal
 * as if they were typed (`TIOCSTI`, and `TIOCLINUX`, which pastes), for the shell behind it to run
 * outside. Both fail with EPERM; all else is let through. Classic BPF, as the kernel takes it
 * (`seccomp(2)`); pure.
 */

/** What a kernel calls its processors, and which number `ioctl` has on them. */
interface Calls {
  readonly audit: number
  readonly ioctl: number
}

/** A kernel of 64 bits runs programs of 32 bits too. */
const PROCESSORS: Partial<Record<NodeJS.Architecture, readonly [Calls, Calls]>> = {
  x64: [
    { audit: 0xc000003e, ioctl: 16 },
    { audit: 0x40000003, ioctl: 54 },
  ],
  arm64: [
    { audit: 0xc00000b7, ioctl: 29 },
    { audit: 0x40000028, ioctl: 54 },
  ],
}

/** From here on x64 has its calls a second time (x32): none of them is let through. */
const X32 = 0x40000000

const REQUESTS = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c } as const

// `struct seccomp_data`; of the second argument the kernel looks at the lower half alone.
const NUMBER = 0
const PROCESSOR = 4
const REQUEST = 24

const LOAD = 0x20
const IF_EQUAL = 0x15
const IF_AT_LEAST = 0x35
const RETURN = 0x06
const ALLOW = 0x7fff0000
const EPERM = 0x00050001

type Step = readonly [code: number, value: number, yes?: number, no?: number]

/** Null: a processor whose numbers we do not know. */
export function keyboardFilter(architecture: NodeJS.Architecture): Uint8Array | null {
  const known = PROCESSORS[architecture]
  if (known === undefined) return null
  const [own, narrow] = known
  // A jump counts the steps that it leaves out.
  const steps: readonly Step[] = [
    [LOAD, PROCESSOR],
    [IF_EQUAL, own.audit, 3, 0],
    [IF_EQUAL, narrow.audit, 0, 9],
    [LOAD, NUMBER],
    [IF_EQUAL, narrow.ioctl, 3, 6],
    [LOAD, NUMBER],
    [IF_AT_LEAST, X32, 5, 0],
    [IF_EQUAL, own.ioctl, 0, 3],
    [LOAD, REQUEST],
    [IF_EQUAL, REQUESTS.TIOCSTI, 2, 0],
    [IF_EQUAL, REQUESTS.TIOCLINUX, 1, 0],
    [RETURN, ALLOW],
    [RETURN, EPERM],
  ]
  const bytes = new DataView(new ArrayBuffer(steps.length * 8))
  steps.forEach(([code, value, yes = 0, no = 0], at) => {
    bytes.setUint16(at * 8, code, true)
    bytes.setUint8(at * 8 + 2, yes)
    bytes.setUint8(at * 8 + 3, no)
    bytes.setUint32(at * 8 + 4, value, true)
  })
  return new Uint8Array(bytes.buffer)
}
