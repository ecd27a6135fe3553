import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.js';
import { runPlan } from '../run-plan.js';

export default defineJob({ name: 'member', input: plan, result, concurrency: 10, run: runPlan });
