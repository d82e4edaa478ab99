-- The sample source of deploy/compose.yaml: run once, by root, after the user "rowferry" was made.
CREATE DATABASE shop;

CREATE TABLE shop.products (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  price DECIMAL(10, 2) NOT NULL
);

CREATE TABLE shop.orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  product_id INT UNSIGNED NOT NULL,
  pieces INT NOT NULL,
  note JSON NULL,
  ordered_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);

INSERT INTO shop.products (name, price) VALUES ('anchor', 120.00), ('buoy', 35.50), ('chart', 12.90);

-- 10,000 orders, spread over the products.
INSERT INTO shop.orders (product_id, pieces, note)
WITH digits (d) AS (VALUES ROW(0), ROW(1), ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8), ROW(9))
SELECT 1 + (a.d + b.d) % 3, 1 + c.d, JSON_OBJECT('gift', b.d < 2)
FROM digits a, digits b, digits c, digits d;

GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO rowferry@'%';
GRANT SELECT ON shop.* TO rowferry@'%';
-- Marks of copies, the only thing that rowferry writes at a source.
GRANT CREATE, SELECT, INSERT, UPDATE ON rowferry.* TO rowferry@'%';
