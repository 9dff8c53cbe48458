/** The unit of a systemd user manager. */
import { BOOT_WORDS, type BootProgram, parseRecord, recordOf } from './program.ts'

const RECORD = '# holdfast: '

/**
 * - `KillMode=process`: worker and agents stand in the unit's control group, and would be ended
 *   with it.
 * - `OOMPolicy=continue`: an agent that is out of memory takes nobody along.
 * - Through `sh`: of a program itself, systemd takes no path with a quote, `$` or `*` in it.
 * - `Type=simple` is over when the command is; `oneshot` may not be restarted by older versions.
 */
export function renderUnit(program: BootProgram): string {
  const { node, entry, home, path } = program
  const words = [...[node, entry].map(path => keepDollars(quote(path))), ...BOOT_WORDS]
  return `${RECORD}${recordOf(program)}
# Written by holdfast worker install; holdfast worker uninstall removes it.
[Unit]
Description=Holdfast: its tasks go on after a boot

[Service]
Type=simple
Environment=${quote(`HOLDFAST_HOME=${home}`)}
Environment=${quote(`PATH=${path}`)}
ExecStart=/bin/sh -c "exec \\"$$@\\"" holdfast ${words.join(' ')}
KillMode=process
OOMPolicy=continue
Restart=on-failure
RestartSec=60

[Install]
WantedBy=default.target
`
}

export function parseUnit(text: string): BootProgram | undefined {
  const line = text.split('\n').find(one => one.startsWith(RECORD))
  return line === undefined ? undefined : parseRecord(line.slice(RECORD.length))
}

const quote = (text: string) =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`

/** Else it would begin a variable of systemd's. */
const keepDollars = (text: string) => text.replaceAll('$', '$$$$')
