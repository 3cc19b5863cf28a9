\set n :n + 1
DELETE FROM sessions WHERE id = lpad(:n, 32, '0')::uuid;
