import type { Request, Response } from 'express';
import { HeadwayError } from '../shared/errors.js';
import type { Tokens } from './tokens.js';

const COOKIE = 'headway_job';

/** Who may see a job: whoever holds its token. */
export interface Access {
  /**
   * Lets a request pass that carries the job's token (`Authorization: Bearer`, `?token=`, or the cookie).
   * @returns the job's id
   * @throws HeadwayError `not-found` without a token or with another job's, whether the job exists or not;
   *   `invalid-token` for a token that is none
   */
  authorize(req: Request): Promise<string>;
  /** Makes the token of a job and sets the cookie that lets pages of the same site use it. */
  grant(req: Request, res: Response, jobId: string): Promise<string>;
}

/** The same answer for a job that does not exist and one that the caller may not see. */
export const jobNotFound = (): HeadwayError =>
  new HeadwayError('not-found', 'There is no such job, or the token that opens it is missing.');

export function createAccess(tokens: Tokens, tokenTtlMs: number): Access {
  return {
    async authorize(req) {
      const jobId = String(req.params.id);
      const token = bearer(req) ?? queryToken(req) ?? cookie(req);
      if (!token) throw jobNotFound();
      if ((await tokens.verify(token)) !== jobId) throw jobNotFound();
      return jobId;
    },
    async grant(req, res, jobId) {
      const token = await tokens.sign(jobId);
      res.cookie(COOKIE, token, {
        httpOnly: true,
        sameSite: 'lax',
        secure: req.secure,
        path: `/v1/jobs/${jobId}`,
        maxAge: tokenTtlMs,
      });
      return token;
    },
  };
}

function bearer(req: Request): string | undefined {
  return /^Bearer +(\S+)$/i.exec(req.get('authorization') ?? '')?.[1];
}

function queryToken(req: Request): string | undefined {
  return typeof req.query.token === 'string' && req.query.token ? req.query.token : undefined;
}

function cookie(req: Request): string | undefined {
  for (const part of (req.get('cookie') ?? '').split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === COOKIE && value) return value;
  }
  return undefined;
}
