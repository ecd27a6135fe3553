import { describe, expect, it } from 'vitest';
import { hostPatterns } from '../../../src/shared/host-patterns.js';
import { addressRefusal, urlRefusal, type WebhookPolicy } from '../../../src/shared/webhooks/target.js';

const policy = (hosts: string, allowPrivate = false): WebhookPolicy => ({
  hosts: hostPatterns(hosts)!,
  allowPrivate,
});

describe('WEBHOOK_HOSTS', () => {
  it.each([
    ['', []],
    ['example.com', ['example.com']],
    [' Example.COM. , *.b.example,', ['example.com', '*.b.example']],
    ['*', ['*']],
    ['münchen.example, 127.0.0.1, [::1]', ['xn--mnchen-3ya.example', '127.0.0.1', '[::1]']],
  ])('%j is %j', (text, expected) => {
    expect(hostPatterns(text)).toEqual(expected);
  });

  it.each([
    'https://example.com',
    'example.com:443',
    'a b',
    'a/b',
    '*.*',
    'a.*',
    '*example.com',
    'u@h',
    '[::1',
  ])('%j is none', (text) => {
    expect(hostPatterns(text)).toBeUndefined();
  });
});

describe('the URL of a webhook', () => {
  it.each<[string, WebhookPolicy]>([
    ['https://example.com/hook?x=1', policy('example.com')],
    ['https://EXAMPLE.com.:8443/', policy('example.com')],
    ['https://a.b.example.com/', policy('*.example.com')],
    ['https://8.8.8.8/', policy('*')],
    ['http://127.0.0.1:3000/', policy('127.0.0.1', true)],
    ['http://localhost/', policy('localhost', true)],
    ['https://[::1]/', policy('[::1]', true)],
    // The addresses of this host are checked when the connection is made.
    ['http://example.com/', policy('*', true)],
  ])('%s may be called', (url, rules) => {
    expect(urlRefusal(url, rules)).toBeUndefined();
  });

  it.each<[string, WebhookPolicy, RegExp]>([
    ['nothing', policy('*'), /absolute URL/],
    ['/hook', policy('*'), /absolute URL/],
    ['ftp://example.com/', policy('*'), /https/],
    ['file:///etc/passwd', policy('*'), /https/],
    ['http://example.com/', policy('*'), /https/],
    ['https://user:password@example.com/', policy('*'), /user name/],
    ['https://example.com@evil.example/', policy('example.com'), /user name/],
    ['https://evil.example/', policy('example.com'), /WEBHOOK_HOSTS/],
    ['https://notexample.com/', policy('*.example.com'), /WEBHOOK_HOSTS/],
    ['https://example.com/', policy('*.example.com'), /WEBHOOK_HOSTS/],
    ['https://example.com.evil.example/', policy('example.com'), /WEBHOOK_HOSTS/],
    ['https://example.com/', policy(''), /WEBHOOK_HOSTS/],
    ['https://localhost/', policy('*'), /private/],
    ['https://x.localhost./', policy('*'), /private/],
    ['https://127.0.0.1/', policy('*'), /private/],
    ['https://2130706433/', policy('*'), /private/],
    ['https://0x7f000001/', policy('*'), /private/],
    ['https://0177.0.0.1/', policy('*'), /private/],
    ['https://127.1/', policy('*'), /private/],
    ['https://１２７.0.0.1/', policy('*'), /private/],
    ['https://[::1]/', policy('*'), /private/],
    ['https://[::ffff:127.0.0.1]/', policy('*'), /private/],
    ['https://[::ffff:7f00:1]/', policy('*'), /private/],
    ['https://10.0.0.1/', policy('10.0.0.1'), /private/],
    ['https://169.254.169.254/latest/meta-data', policy('*', true), /forbidden address/],
    ['https://2852039166/', policy('*', true), /forbidden address/],
    ['https://0/', policy('*', true), /forbidden address/],
    ['https://[::]/', policy('*', true), /forbidden address/],
    ['http://8.8.8.8/', policy('*', true), /https/],
  ])('%s may not, with a reason', (url, rules, reason) => {
    expect(urlRefusal(url, rules)).toMatch(reason);
  });

  it('may be http only for private addresses', () => {
    expect(addressRefusal('8.8.8.8', 'http:', policy('*', true))).toMatch(/https/);
    expect(addressRefusal('10.0.0.1', 'http:', policy('*', true))).toBeUndefined();
    expect(addressRefusal('8.8.8.8', 'https:', policy('*', true))).toBeUndefined();
  });
});
