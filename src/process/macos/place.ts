import { type Place, ProcessesUnseen } from '../../ports/process-table.ts'
import type { Programs } from './programs.ts'

/** The hardware's own number. (`kern.uuid` is the kernel's, the same on many machines.) */
export const MACHINE = ['-rd1', '-c', 'IOPlatformExpertDevice'] as const

/** Made anew at each boot. (`kern.boottime` moves with the clock while the machine is up.) */
export const BOOT = ['-n', 'kern.bootsessionuuid'] as const

/** Where this process runs. What cannot be read is an empty string. */
export function readPlace(programs: Programs): Place {
  const ask = (name: 'ioreg' | 'sysctl', args: readonly string[]) => {
    try {
      return programs.run(name, args).stdout
    } catch (error) {
      if (!(error instanceof ProcessesUnseen)) throw error
      return '' // a sandbox may forbid it, an old system may not know it
    }
  }
  return {
    machine: parseMachine(ask('ioreg', MACHINE)),
    boot: parseBoot(ask('sysctl', BOOT)),
    // There are none: all processes of a machine have one table of pids.
    pidNamespace: 'macos',
  }
}

export function parseMachine(text: string): string {
  return /"IOPlatformUUID" = "([0-9A-Fa-f-]+)"/.exec(text)?.[1] ?? ''
}

export function parseBoot(text: string): string {
  return /^\s*([0-9A-Fa-f-]+)\s*$/.exec(text)?.[1] ?? ''
}
