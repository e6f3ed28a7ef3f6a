//! Which ports are fetched from.
//!
//! 80 and 443, and from 1024 on all but those where other protocols are spoken: the ones that
//! browsers refuse ([the list]), and the well-known ones of databases, queues and remote desktops.
//! What is sent there is a request whose path a stranger chose, and some of these servers take
//! lines of it for orders. Below 1024 are the services of systems, and pages have no business
//! there.
//!
//! [the list]: https://fetch.spec.whatwg.org/#port-blocking

/// Ports from 1024 on from which nothing is fetched.
const OF_OTHERS: [u16; 53] = [
    // Browsers refuse them.
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, //
    // Databases: SQL Server, Oracle, MySQL, PostgreSQL, Redis, Cassandra, Elasticsearch, Memcached,
    // MongoDB, CouchDB, InfluxDB.
    1433, 1434, 1521, 3306, 5432, 6379, 6380, 9042, 9200, 9300, 11211, 27017, 27018, 5984,
    8086, //
    // Queues and coordination: MQTT, AMQP, NATS, Kafka, ZooKeeper, etcd, Consul.
    1883, 5672, 4222, 9092, 2181, 2379, 2380, 8500, //
    // Whoever reaches them owns a machine: Docker, Kubernetes, RDP, VNC, X11, WinRM.
    2375, 2376, 6443, 10250, 10255, 3389, 5900, 5901, 5985, 5986, 6001,
];

/// Whether anything is fetched from a port.
pub fn is_for_pages(port: u16) -> bool {
    matches!(port, 80 | 443) || (port >= 1024 && !OF_OTHERS.contains(&port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_on_the_ports_of_the_web_and_on_those_that_nobody_else_has() {
        for port in [80, 443, 1024, 8080, 8443, 8448, 3000, 65_535] {
            assert!(is_for_pages(port), "{port}");
        }
        for port in [
            0, 1, 22, 25, 53, 81, 110, 445, 1023, 2375, 3306, 5432, 6379, 6667, 11_211,
        ] {
            assert!(!is_for_pages(port), "{port}");
        }
    }
}
