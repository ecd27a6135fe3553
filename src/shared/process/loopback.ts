/**
 * Whether a host name or an IP address means this machine only. An IPv6 address may be in brackets, and may contain an IPv4
 * address.
 */
export const isLoopback = (host: string): boolean =>
  /^((.*\.)?localhost|(\[?)::1\]?|(::ffff:)?127(\.\d{1,3}){3})$/i.test(host);
