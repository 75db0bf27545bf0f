import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

export type Mail = { to: string; text: string }

/** A mail server that takes everything and delivers nothing: what arrived can be read. */
export class MailSink {
  readonly mails: Mail[] = []
  private readonly server: Server
  private port = 0

  private constructor() {
    this.server = createServer((socket) => {
      let data: string[] | undefined // the lines of a mail that is being sent
      let to = ''
      let rest = ''
      const say = (line: string) => socket.write(`${line}\r\n`)
      const hear = (line: string) => {
        if (data && line === '.') {
          this.mails.push({ to, text: data.join('\n') })
          data = undefined
          say('250 taken')
        } else if (data) data.push(line.replace(/^\./, ''))
        else if (/^DATA/i.test(line)) {
          data = []
          say('354 go on')
        } else if (/^QUIT/i.test(line)) {
          say('221 bye')
          socket.end()
        } else {
          to = /^RCPT TO:<(.*?)>/i.exec(line)?.[1] ?? to
          say('250 yes')
        }
      }
      socket.on('error', () => undefined)
      socket.on('data', (chunk) => {
        const lines = (rest + chunk).split('\r\n')
        rest = lines.pop() ?? ''
        lines.forEach(hear)
      })
      say('220 sink')
    })
  }

  static async start(): Promise<MailSink> {
    const sink = new MailSink()
    sink.server.listen(0, '127.0.0.1')
    await once(sink.server, 'listening')
    const address = sink.server.address()
    if (address && typeof address !== 'string') sink.port = address.port
    return sink
  }

  get url() {
    return `smtp://127.0.0.1:${this.port}`
  }

  /** The link of the newest mail to the address that has one. The text part may be quoted-printable. */
  link(to: string): string {
    const plain = (text: string) => text.replaceAll('=\n', '').replaceAll('=3D', '=')
    for (const mail of this.mails.toReversed()) {
      const found = mail.to === to && /http\S+#[\w-]+/.exec(plain(mail.text))?.[0]
      if (found) return found
    }
    return ''
  }

  stop() {
    this.server.close()
  }
}
