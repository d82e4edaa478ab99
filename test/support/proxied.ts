/** Proxies between a pipeline and its servers. */
import type { TestContext } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';

/** A healthy proxy in front of `server` that ends with the test. */
export async function proxyOf(
  t: TestContext,
  server: { readonly host: string; readonly port: number },
): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(server);
  t.onTestFinished(async () => await proxy.close());
  return proxy;
}

/** Changes the `url` of a configured source or target so that the pipeline reaches it by way of the proxy. */
export function leadThrough(proxy: FaultProxy, endpoint: Record<string, unknown> | undefined): void {
  if (endpoint === undefined) throw new Error('there is nothing to reach through the proxy');
  endpoint['url'] = proxy.through(String(endpoint['url']));
}
