import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { findProgram } from '../../scripts/lib/command.mjs';
import { configSchema } from '../../src/shared/process/config.js';
import { temporaryFolder } from '../support/folder.js';

const CHART = 'deploy/helm/headway';
const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, object>;

describe('the values of the Helm chart', () => {
  const validate = new Ajv().compile(JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')));

  it('satisfy their schema, and mistakes do not', () => {
    expect(validate(values), JSON.stringify(validate.errors)).toBe(true);
    for (const mistake of [
      { redsi: {} },
      { redis: { ...values.redis, port: 'x' } },
      { settings: { KEY_PREFIX: 'headway', 'log-level': 'info' } },
      { secrets: { ...values.secrets, REDIS_PASSWORD: 'a@b' } },
      { image: { ...values.image, pullPolicy: 'Sometimes' } },
    ]) {
      expect(validate({ ...values, ...mistake }), JSON.stringify(mistake)).toBe(false);
    }
  });

  it('contain only settings of Headway', () => {
    expect(Object.keys(values.settings!).filter((name) => !(name in configSchema.shape))).toEqual([]);
  });
});

interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: the fields depend on the kind
  spec: any;
}

const SPRIG = '/usr/share/gocode/src/github.com/Masterminds/sprig';
const canRender = process.env.TEST_DEPLOY === '1' && findProgram('go') !== undefined && existsSync(SPRIG);

// Helm is not among Debian's packages. The chart is rendered with what Helm uses: Go's templates and the functions of sprig.
describe.skipIf(!canRender)('the Helm chart', { timeout: 180_000 }, () => {
  const folder = temporaryFolder();
  const program = join(folder, 'helm-render');

  beforeAll(() => {
    const env = {
      ...process.env,
      GO111MODULE: 'off',
      GOPATH: '/usr/share/gocode',
      GOCACHE: join(folder, 'cache'),
    };
    execFileSync('go', ['build', '-o', program, 'test/deploy/helm/main.go'], { env, stdio: 'pipe' });
  }, 180_000);

  const run = (override: unknown) => {
    const file = join(folder, 'values.yaml');
    writeFileSync(file, stringify(override));
    return spawnSync(program, [CHART, 'demo', file], { encoding: 'utf8' });
  };
  function render(override: object = {}): Resource[] {
    const { status, stdout, stderr } = run({ secrets: SECRETS, ...override });
    if (status !== 0) throw new Error(stderr);
    const { 'NOTES.txt': _, ...files } = JSON.parse(stdout) as Record<string, string>;
    return Object.values(files).flatMap((text) =>
      parseAllDocuments(text).flatMap((document) => {
        if (document.errors.length > 0) throw document.errors[0]!;
        return (document.toJS() as Resource | null) ?? [];
      }),
    );
  }
  const named = (resources: Resource[], kind: string, name: string): Resource =>
    resources.find((each) => each.kind === kind && each.metadata.name === name)!;

  const everything = {
    ingress: { enabled: true },
    imagePullSecrets: [{ name: 'registry' }],
    metrics: { podMonitor: { enabled: true, labels: { release: 'prometheus' } } },
    networkPolicy: { apiFrom: [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }] },
    persistence: { storageClass: 'nfs' },
    api: { nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'a', operator: 'Exists' }] },
    worker: { jobs: ['steps'], keda: { enabled: true, queues: ['steps', 'csv-import'] } },
  };

  it('makes resources that the types of Kubernetes accept, without unknown fields', () => {
    const sets = [
      {},
      everything,
      { persistence: { enabled: false }, existingSecret: 'mine', api: { autoscaling: { enabled: false } } },
    ];
    // Literals of these types must not have further properties, so a misspelt field is an error.
    const lines = sets
      .flatMap((set) => render(set))
      .flatMap((resource, i) => {
        const type = TYPES[`${resource.apiVersion} ${resource.kind}`];
        if (type === null) return [];
        if (type === undefined) throw new Error(`no type for ${resource.apiVersion} ${resource.kind}`);
        const [file, name] = type.split('#');
        return [
          `export const r${i}: import('kubernetes-types/${file}').${name} = ${JSON.stringify(resource)};`,
        ];
      });
    expect(lines.length).toBeGreaterThan(20);
    const check = (text: string): string => {
      // Beside node_modules, where the types are found.
      const source = join('dist', `.chart-${process.pid}.ts`);
      writeFileSync(source, text);
      const args = [
        '--noEmit',
        '--ignoreConfig',
        '--strict',
        '--skipLibCheck',
        '--module',
        'esnext',
        '--moduleResolution',
        'bundler',
        source,
      ];
      const { stdout } = spawnSync('node_modules/@typescript/native/bin/tsc', args, { encoding: 'utf8' });
      rmSync(source);
      return stdout;
    };
    expect(check(lines.join('\n'))).toBe('');
    expect(check(lines.join('\n').replaceAll('readinessProbe', 'readynessProbe'))).toContain(
      'readynessProbe',
    );
  });

  it('confines the pods and gives them the time that they need to stop', () => {
    const resources = render({ drainDelayMs: 8000, shutdownGraceMs: 60_500 });
    for (const role of ['api', 'worker']) {
      const { spec } = named(resources, 'Deployment', `demo-headway-${role}`).spec.template;
      expect(spec.terminationGracePeriodSeconds).toBeGreaterThan((8000 + 60_500 + 7000) / 1000);
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      const [container] = spec.containers;
      expect(container.args).toEqual([role]);
      expect(container.securityContext).toEqual({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      const names = container.env.map(({ name }: { name: string }) => name);
      expect(
        names.filter((name: string) => name !== 'REDIS_PASSWORD' && !(name in configSchema.shape)),
      ).toEqual([]);
      expect(JSON.stringify(container.env)).not.toContain(SECRETS.TOKEN_SECRET);
    }
    const { readinessProbe, livenessProbe } = named(resources, 'Deployment', 'demo-headway-api').spec.template
      .spec.containers[0];
    expect([readinessProbe.httpGet.path, livenessProbe.httpGet.path]).toEqual(['/readyz', '/healthz']);
    // A pod that stops is taken out of the service before it closes its port.
    expect(readinessProbe.periodSeconds * readinessProbe.failureThreshold * 1000).toBeLessThan(5000);
  });

  it('scales the workers by the jobs that wait in Redis or by Prometheus', () => {
    const { spec } = named(render(everything), 'ScaledObject', 'demo-headway-worker');
    expect(
      spec.triggers.map(({ metadata }: { metadata: { listName: string } }) => metadata.listName),
    ).toEqual(['{headway}:steps:wait', '{headway}:csv-import:wait']);
    const keda = { enabled: true, prometheusAddress: 'http://prometheus:9090' };
    const byPrometheus = named(render({ worker: { keda } }), 'ScaledObject', 'demo-headway-worker');
    expect(byPrometheus.spec.triggers).toMatchObject([{ type: 'prometheus', metadata: { threshold: '10' } }]);
    // The number of replicas is left to whoever scales.
    expect(named(render(everything), 'Deployment', 'demo-headway-worker').spec.replicas).toBeUndefined();
    expect(named(render(), 'Deployment', 'demo-headway-worker').spec.replicas).toBe(2);
  });

  it('says what is missing', () => {
    expect(run({}).stderr).toContain('secrets.TOKEN_SECRET is missing: set it, or existingSecret');
    const keda = { enabled: true };
    expect(run({ secrets: SECRETS, worker: { keda } }).stderr).toContain(
      'worker.keda needs prometheusAddress or queues',
    );
    const shards = { secrets: SECRETS, settings: { ...values.settings, QUEUE_SHARDS: 2 } };
    expect(run({ ...shards, worker: { keda: { enabled: true, queues: ['steps'] } } }).stderr).toContain(
      'worker.keda needs prometheusAddress with QUEUE_SHARDS',
    );
    const tls = { ...values.settings, TLS_CERT: '/data/tls.crt' };
    expect(run({ secrets: SECRETS, settings: tls }).stderr).toContain(
      'settings.TLS_CERT: the probes and the Ingress call the API over HTTP',
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
});

const SECRETS = {
  TOKEN_SECRET: 'token-secret-of-the-test-with-32-bytes',
  ADMIN_TOKEN: 'admin-token-of-the-test',
  WEBHOOK_SECRET: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  REDIS_PASSWORD: 'secret',
};

/** Where kubernetes-types has the type of a resource; null for kinds that are not part of Kubernetes. */
const TYPES: Record<string, string | null> = {
  'apps/v1 Deployment': 'apps/v1#Deployment',
  'v1 Service': 'core/v1#Service',
  'v1 Secret': 'core/v1#Secret',
  'v1 PersistentVolumeClaim': 'core/v1#PersistentVolumeClaim',
  'autoscaling/v2 HorizontalPodAutoscaler': 'autoscaling/v2#HorizontalPodAutoscaler',
  'policy/v1 PodDisruptionBudget': 'policy/v1#PodDisruptionBudget',
  'networking.k8s.io/v1 NetworkPolicy': 'networking/v1#NetworkPolicy',
  'networking.k8s.io/v1 Ingress': 'networking/v1#Ingress',
  'keda.sh/v1alpha1 ScaledObject': null,
  'keda.sh/v1alpha1 TriggerAuthentication': null,
  'monitoring.coreos.com/v1 PodMonitor': null,
};
