import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from '../../scripts/lib/command.mjs';
import { anchorsOf } from '../../scripts/lib/markdown.mjs';
import { page } from '../support/documentation.js';

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}
const rules = (
  parse(readFileSync('deploy/prometheus/alerts.yml', 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync('deploy/grafana/dashboards/headway.json', 'utf8')) as {
  panels: {
    id: number;
    title: string;
    type: string;
    targets?: { expr: string }[];
    datasource?: { uid: string };
  }[];
};
const expressions = [
  ...rules.map(({ expr }) => expr),
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...Array.from(
    readFileSync('deploy/helm/headway/templates/keda.yaml', 'utf8').matchAll(/query: (.*)/g),
    ([, q]) => q!,
  ),
];

describe('the metrics in alerts, the dashboard and the chart', () => {
  it('are documented', () => {
    const reference = page('docs/reference/metrics.md');
    const documented = new Set(
      Array.from(reference.matchAll(/`((?:headway|nodejs|process)_[a-z0-9_]+)`/g), ([, n]) => n!),
    );
    const used = new Set(
      expressions.flatMap((expr) => expr.match(/\b(?:headway|nodejs|process)_[a-z0-9_]+/g) ?? []),
    );
    const unknown = [...used].filter(
      (name) => !documented.has(name) && !documented.has(name.replace(/_(bucket|sum|count)$/, '')),
    );
    expect(unknown).toEqual([]);
    expect(used.size).toBeGreaterThan(20);
  });

  it('have the labels that the reference gives them', () => {
    const labels = new Map(
      Array.from(
        page('docs/reference/metrics.md').matchAll(/^\| `(\w+)` \| \w+ \| ([^|]*) \|/gm),
        ([, name, text]) => [name!, Array.from(text!.matchAll(/`(\w+)`/g), ([, label]) => label!)],
      ),
    );
    const wrong = expressions.flatMap((expr) =>
      Array.from(expr.matchAll(/\b(headway_\w+)\{([^}]*)\}/g)).flatMap(([, metric, selectors]) =>
        Array.from(selectors!.matchAll(/(\w+)\s*[=!]/g), ([, label]) => label!)
          .filter((label) => label !== 'job' && !labels.get(metric!)?.includes(label))
          .map((label) => `${metric} has no label ${label}`),
      ),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the alerts', () => {
  it('each have a section in the on-call handbook, and the handbook has no others', () => {
    const path = 'docs/operations/on-call.md';
    const sections = anchorsOf(page(path)).filter((anchor) => anchor.startsWith('headway'));
    expect(rules.map(({ annotations }) => annotations.runbook)).toEqual(
      rules.map(({ alert }) => `${path}#${alert.toLowerCase()}`),
    );
    expect(sections.sort()).toEqual(rules.map(({ alert }) => alert.toLowerCase()).sort());
  });

  it.skipIf(!findProgram('promtool'))('are valid, fire when they should and stay quiet otherwise', () => {
    const promtool = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
      return `${status}: ${stdout}${stderr}`;
    };
    expect(promtool('check', 'rules', 'deploy/prometheus/alerts.yml')).toMatch(/^0: /);
    expect(promtool('check', 'config', '--syntax-only', 'deploy/prometheus/prometheus.yml')).toMatch(/^0: /);
    expect(promtool('test', 'rules', 'deploy/prometheus/alerts.test.yml')).toMatch(/^0: /);
  });
});

describe('the dashboard', () => {
  it('has panels with queries of the provisioned data source', () => {
    const { datasources } = parse(
      readFileSync('deploy/grafana/provisioning/datasources/prometheus.yml', 'utf8'),
    ) as { datasources: { uid: string }[] };
    const panels = dashboard.panels.filter(({ type }) => type !== 'row');
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, datasource, targets } of panels) {
      expect([title, datasource?.uid]).toEqual([title, datasources[0]!.uid]);
      expect(targets!.length).toBeGreaterThan(0);
    }
    expect(readdirSync('deploy/grafana/dashboards')).toEqual(['headway.json']);
  });
});
