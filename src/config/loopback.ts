/** Whether only this machine can reach what listens at `host`: `localhost`, `127.x.x.x` or `::1`. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}
