/** The official client: kubeconfig files, every way of credentials, proxies. Requests are our own (`request.ts`): its typed
 *  API makes an object of every field of every Node; its watch drops a line that is not JSON, has no time limit, and does
 *  not tell what the server said when it refused. */
export { KubeConfig } from '@kubernetes/client-node'
export { load as loadYaml } from 'js-yaml'
