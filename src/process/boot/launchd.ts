/** The agent of launchd (macOS). It starts when its user logs in. */
import { BOOT_WORDS, type BootProgram, parseRecord, recordOf } from './program.ts'

const RECORD = /<!-- holdfast: (.*) -->/

/** `AbandonProcessGroup`: what the command has started is not ended with it. */
export function renderAgent(label: string, program: BootProgram): string {
  const { node, entry, home, path } = program
  const words = [node, entry, ...BOOT_WORDS].map(word => `    <string>${xml(word)}</string>`)
  // A comment may not contain two dashes.
  const record = recordOf(program).replaceAll('-', '\\u002d')
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- holdfast: ${record} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${xml(label)}</string>
  <key>ProgramArguments</key>
  <array>
${words.join('\n')}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>HOLDFAST_HOME</key>
    <string>${xml(home)}</string>
    <key>PATH</key>
    <string>${xml(path)}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>60</integer>
  <key>AbandonProcessGroup</key>
  <true/>
</dict>
</plist>
`
}

export function parseAgent(text: string): BootProgram | undefined {
  const [, record] = RECORD.exec(text) ?? []
  return record === undefined ? undefined : parseRecord(record)
}

const xml = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
