import { readFileSync, readlinkSync } from 'node:fs'
import type { Place } from '../../ports/process-table.ts'

/** Where this process runs. What cannot be read is an empty string. */
export function readPlace(): Place {
  return {
    machine: readTrimmed('/etc/machine-id') || readTrimmed('/var/lib/dbus/machine-id'),
    boot: readTrimmed('/proc/sys/kernel/random/boot_id'),
    pidNamespace: readPidNamespace(),
  }
}

function readTrimmed(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return '' // a container may have none
  }
}

function readPidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return '' // a kernel built without namespaces
  }
}
