import { expect, test } from 'vitest'
import { type Forward, parseForwards, showForward } from './ports.ts'

test('forwards are read as they are shown', () => {
  const forwards: Forward[] = [
    { host_port: 2222, guest_port: 22, protocol: 'tcp' },
    { host_port: 5353, guest_port: 53, protocol: 'udp' },
    { host_port: 80, guest_port: 8080, protocol: 'tcp', listen: '0.0.0.0' },
    { host_port: 443, guest_port: 443, protocol: 'udp', listen: '::1' },
  ]
  expect(parseForwards(forwards.map(showForward).join('\n'))).toEqual({ forwards })
  expect(parseForwards('\n 80:80/TCP \n')).toEqual({ forwards: [{ host_port: 80, guest_port: 80, protocol: 'tcp' }] })
})

test('a line that is no forward is named', () => {
  for (const line of ['80', '80:http', 'host:80:80', '80:80/sctp', '123456:1']) expect(parseForwards(`1:1\n${line}`)).toEqual({ wrong: line })
})
